"""The feeds a web page names in its head."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

from veille.domain.text import printable

MAX_FEEDS = 5
_TYPES = {
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "application/json",
}


def feeds_of(page: bytes, url: str) -> tuple[str, ...]:
    """Return the addresses of up to five feeds that an HTML page from `url` links to, in order."""
    finder = _Finder(url)
    finder.feed(page.decode("utf-8", "replace"))
    return tuple(dict.fromkeys(finder.found))[:MAX_FEEDS]


class _Finder(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "").strip() for name, value in attrs}
        is_feed = given.get("type", "").lower() in _TYPES and given.get("href")
        if tag != "link" or not is_feed or "alternate" not in given.get("rel", "").lower().split():
            return
        try:
            address = urljoin(self._url, given["href"])
        except ValueError:  # a bracket that is not closed
            return
        if address.startswith(("http://", "https://")) and printable(address) == address:
            self.found.append(address)
