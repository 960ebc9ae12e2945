"""What Pulumi makes of it: secrets, certificates, DNS records, and the containers on one Docker host."""
