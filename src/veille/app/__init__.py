"""Builds, starts and stops everything."""
