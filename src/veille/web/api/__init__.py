"""The API: everything the screens do, as one table of operations."""
