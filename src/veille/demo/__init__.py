"""The demonstration: a bundled scenario with local stand-ins for Slack and mail."""
