"""Masking, pseudonyms and sealed originals, before the first write."""
