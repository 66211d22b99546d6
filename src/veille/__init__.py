"""veille: self-hosted, French-first social listening and reputation monitoring."""

from __future__ import annotations

__version__ = "0.1.0"
