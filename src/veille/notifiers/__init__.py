"""Notifiers: code for one channel, and the message they share."""
