"""The SQLite file: what is kept, in functions that run inside `store.write` and `store.read`."""
