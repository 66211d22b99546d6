"""What a browser was told: its theme, whether keys act, whether it keeps a page. All in cookies."""

from __future__ import annotations

from aiohttp import web

THEMES = ("system", "light", "dark")
THEME, KEYS, KEEP = "veille-theme", "veille-keys", "veille-keep"
YEAR_S = 31536000
BARS = {"light": "#f4f6f8", "dark": "#1d2126"}
"""--sheet of veille.css: an installed app's frame has the colour of the bar on top."""


def theme(request: web.Request) -> str:
    """Return the theme somebody chose here, `system` where nobody did."""
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in THEMES else THEMES[0]


def has_keys(request: web.Request) -> bool:
    """Whether single keys act on pages: they do until switched off (WCAG 2.2, 2.1.4)."""
    return request.cookies.get(KEYS) != "off"


def keeps_last(request: web.Request) -> bool:
    """Whether this browser may keep the last state of the first page; not unless somebody said."""
    return request.cookies.get(KEEP) == "on"
