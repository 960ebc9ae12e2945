"""What an operator runs beside Pulumi: the plan, and the embedded defaults behind `make`."""
