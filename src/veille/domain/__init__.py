"""The words of veille as types: mentions, analyses, alerts, incidents. Standard library only."""
