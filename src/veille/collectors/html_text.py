"""HTML to plain text in linear time: html.parser of Python 3.11 is quadratic on hostile tags."""

from __future__ import annotations

import re
from html import unescape

MAX_HTML_CHARS = 1_000_000

# Possessive: no step is ever undone. A quoted ">" does not end a tag.
_QUOTED_TAG = re.compile(r"""<(?:[^"'<>]++|"[^"]*+"|'[^']*+')*+>""")
_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_LONG_REFERENCE = re.compile(r"&#x?[0-9a-fA-F]{8,};?", re.IGNORECASE)
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r" ?\n[ \n]*")
_HIDDEN = {
    name: re.compile(rf"</{name}\b", re.IGNORECASE)
    for name in ("script", "style", "template", "noscript", "iframe", "textarea", "title")
}
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    }
)


def html_to_text(html: str) -> str:
    """Return what a reader sees: tags, comments, scripts gone, entities decoded, blocks on lines.

    Takes time linear in the length; only the first 1,000,000 characters are read.
    """
    parts = _visible(html[:MAX_HTML_CHARS])
    # unescape calls int() on the digits, which raises beyond 4,300 of them
    text = unescape(_LONG_REFERENCE.sub("\ufffd", "".join(parts)))
    return _BLANK_LINES.sub("\n", _SPACES.sub(" ", text)).strip()


def _visible(html: str) -> list[str]:
    parts: list[str] = []
    at = 0
    quotes_pair = True
    while (start := html.find("<", at)) != -1:
        parts.append(html[at:start].replace("\n", " "))
        if html.startswith("<!--", start):
            at = _after(html, "-->", start + 4)
            continue
        if not _opens_tag(html, start):
            parts.append("<")
            at = start + 1
            continue
        tag = _QUOTED_TAG.match(html, start) if quotes_pair else None
        # One failure has read up to the end: trying again at each tag would be quadratic.
        quotes_pair = tag is not None
        at = tag.end() if tag else _after(html, ">", start)
        at = _enter(html, start, at, parts)
    return [*parts, html[at:].replace("\n", " ")]


def _enter(html: str, start: int, after: int, parts: list[str]) -> int:
    """Add what the tag at `start` puts into the text; return where reading goes on."""
    name = _NAME.match(html, start)
    if name is None:
        return after
    tag = name[1].lower()
    if tag in _HIDDEN and html[start + 1] != "/":
        closing = _HIDDEN[tag].search(html, after)
        return _after(html, ">", closing.end()) if closing else len(html)
    if tag in _BLOCKS:
        parts.append("\n")
    elif tag in {"td", "th", "img"}:
        parts.append(" ")
    return after


def _opens_tag(html: str, start: int) -> bool:
    following = html[start + 1 : start + 2]
    return following.isascii() and (following.isalpha() or following in {"/", "!", "?"})


def _after(html: str, mark: str, at: int) -> int:
    found = html.find(mark, at)
    return len(html) if found == -1 else found + len(mark)
