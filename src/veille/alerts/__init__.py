"""Alerts: their life, their grouping into incidents, and what people do with those. Pure."""

from __future__ import annotations
