"""Which browser on which system, in as few words as a person needs to know their own again."""

from __future__ import annotations

# In this order: Edge and Opera say Chrome too, and every one of them says Safari.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"), ("FxiOS", "Firefox"), ("Chrome", "Chrome"), ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("CrOS", "ChromeOS"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def device(user_agent: str) -> str:
    """Return "Firefox · Android" or what of it is said; "" when nothing is. Never a version."""
    found = (_named(user_agent, _BROWSERS), _named(user_agent, _SYSTEMS))
    return " · ".join(name for name in found if name)


def _named(text: str, marks: tuple[tuple[str, str], ...]) -> str:
    return next((name for mark, name in marks if mark in text), "")
