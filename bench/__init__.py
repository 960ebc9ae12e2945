"""Measurements: `python -m bench` for the program, `python -m bench.prosody_flood` for the Prosody modules."""
