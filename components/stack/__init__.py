"""What to run for given settings: plain values and text, worked out without Pulumi, Docker or a disk."""
