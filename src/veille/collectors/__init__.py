"""Collectors: code that reads one kind of source, and the interchange format."""
