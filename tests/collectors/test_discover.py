"""The feeds of a web page, whatever its markup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.discover import MAX_FEEDS, feeds_of

LINK = '<link rel="{rel}" type="{type}" href="{href}">'
RSS = "application/rss+xml"


def _page(*links: str) -> bytes:
    return f"<!doctype html><head>{''.join(links)}</head>".encode()


def test_feeds_are_found_in_order_with_whole_addresses() -> None:
    page = _page(
        LINK.format(rel="stylesheet", type="text/css", href="a.css"),
        LINK.format(rel="Alternate", type="application/atom+xml", href="/atom.xml"),
        LINK.format(rel="alternate home", type=RSS, href="flux?a=1&amp;b=2"),
        LINK.format(rel="alternate", type="application/feed+json", href="https://b.example/f.json"),
    )
    assert feeds_of(page, "https://a.example/x/page") == (
        "https://a.example/atom.xml",
        "https://a.example/x/flux?a=1&b=2",
        "https://b.example/f.json",
    )


def test_what_is_no_web_address_is_left_out() -> None:
    hostile = ["javascript:alert(1)", "file:///etc/passwd", "http://[", "", "https://a/\x1b[31m"]
    links = [LINK.format(rel="alternate", type=RSS, href=href) for href in hostile]
    assert feeds_of(_page(*links), "https://a.example/") == ()


def test_a_page_of_links_gives_a_few() -> None:
    links = [LINK.format(rel="alternate", type=RSS, href=f"/{n}") for n in range(99)]
    assert len(feeds_of(_page(*links), "https://a.example/")) == MAX_FEEDS


@given(st.binary(max_size=300))
def test_any_bytes_are_a_page(page: bytes) -> None:
    assert len(feeds_of(b"<link rel=alternate" + page, "https://a.example/")) <= MAX_FEEDS
