"""Clients to the outside: guarded addresses, bounded answers, patience."""
