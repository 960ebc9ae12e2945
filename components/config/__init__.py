"""What an operator says: keys, their checks and rules, and the settings that they become. No Pulumi but in `source`."""
