"""Rules: what to look for, over what time, per what key. Pure functions of data and `now`."""

from __future__ import annotations
