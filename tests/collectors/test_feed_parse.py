"""Feeds of every make become items; what is no feed says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.feed_parse import parse_feed
from veille.domain.errors import SourceError

RSS = """<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Presse</title>
<item><guid>g1</guid><title>Crue &amp; pont</title><link>/a/1</link><author>Rédaction</author>
<description>&lt;p&gt;L&amp;#233;au &lt;b&gt;monte&lt;/b&gt;&lt;script&gt;x()&lt;/script&gt;
</description>
<pubDate>Sun, 18 Jan 2026 03:00:00 +0100</pubDate></item>
<item><title>Deux</title></item>{more}</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><entry><id>tag:1</id>
<title type="html">Un &lt;i&gt;titre&lt;/i&gt;</title><link href="https://x.example/1"/>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Long <b>texte</b></p></div>
</content>
<summary>Court</summary><published>2026-01-18T02:00:00Z</published>
<updated>2026-01-18T03:00:00Z</updated><author><name>Zoé</name></author></entry></feed>"""


def test_rss_items_are_plain_text_with_whole_links_and_utc_dates() -> None:
    first, second = parse_feed(RSS.format(more="").encode(), url="https://x.example/flux").items
    assert (first.guid, first.link) == ("g1", "https://x.example/a/1")
    assert (first.title, first.text) == ("Crue & pont", "Léau monte")
    assert first.published == datetime(2026, 1, 18, 2, tzinfo=UTC)
    assert first.author == "Rédaction"
    assert (second.guid, second.link, second.title, second.published) == (None, None, "Deux", None)


def test_atom_entries_give_their_longest_text_and_both_dates() -> None:
    (item,) = parse_feed(ATOM.encode()).items
    assert (item.title, item.text, item.author) == ("Un titre", "Long texte", "Zoé")
    assert item.published == datetime(2026, 1, 18, 2, tzinfo=UTC)
    assert item.updated == datetime(2026, 1, 18, 3, tzinfo=UTC)


@pytest.mark.parametrize("version", ["1", "1.1"])
def test_json_feed_is_read_as_json(version: str) -> None:
    feed = {
        "version": f"https://jsonfeed.org/version/{version}",
        "title": "t",
        "items": [
            {
                "id": 7,
                "content_html": "<p>Eau",
                "date_published": "2026-01-18T03:00:00+01:00",
                "authors": [{"name": "Zoé"}],
            },
            {
                "id": "8",
                "content_text": "b",
                "url": "https://x.example/8",
                "title": "T",
                "date_published": "hier",
                "date_modified": "2026-01-18T03:00:00",
            },
            "rien",
            None,
            {"id": "9"},
            {"id": "10", "content_text": "c", "authors": "Zoé"},
        ],
    }
    read = parse_feed(b"\xef\xbb\xbf " + json.dumps(feed).encode())
    found = [(i.guid, i.text, i.author) for i in read.items]
    assert found == [("7", "Eau", "Zoé"), ("8", "b", None)]
    assert read.items[0].published == datetime(2026, 1, 18, 2, tzinfo=UTC)
    assert (read.items[1].published, read.items[1].updated) == (None, None)
    assert [r.line for r in read.rejected] == [3, 4, 5, 6]


def test_ill_formed_xml_is_read_as_well_as_can_be() -> None:
    body = RSS.format(more="<item><title>Trois & fin</title></item>").encode()
    assert len(parse_feed(body).items) == 3


def test_declared_and_actual_encodings_are_both_honoured() -> None:
    body = RSS.format(more="").replace("UTF-8", "iso-8859-1").encode("iso-8859-1")
    assert parse_feed(body).items[0].author == "Rédaction"
    utf16 = RSS.format(more="").replace("UTF-8", "utf-16").encode("utf-16")
    assert parse_feed(utf16).items[0].author == "Rédaction"


BOMB = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        BOMB + "<rss version='2.0'><channel><item><title>&b;</title></item></channel></rss>",
        "<!-- <a --> " + BOMB + "<rss version='2.0'><channel><title>&b;</title></channel></rss>",
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><title>&x;</title>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entity_declarations_are_refused_in_any_encoding(body: str, encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>{body}'
    with pytest.raises(SourceError, match="entities"):
        parse_feed(declared.encode(encoding))


def test_an_article_about_entities_is_no_bomb() -> None:
    more = "<item><title><![CDATA[le code <!ENTITY a 'b'> expliqué]]></title></item>"
    assert len(parse_feed(RSS.format(more=more).encode()).items) == 3


def test_deep_nesting_is_refused() -> None:
    body = "<rss version='2.0'><channel>" + "<a>" * 100_000 + "</a>" * 100_000 + "</channel></rss>"
    with pytest.raises(SourceError, match="nested"):
        parse_feed(body.encode())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html><body><form>Connexion</form></body></html>", "login"),
        (b"<html><head/></html>", "login"),
        (b"", "no feed"),
        (b"Too many requests", "no feed"),
        (b'{"items": 5}', "JSON"),
        (b'{"version": ', "JSON"),
        (b"{" * 100_000, "JSON"),
    ],
)
def test_what_is_no_feed_is_refused_with_a_remedy(body: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        parse_feed(body)


def test_a_feed_without_entries_is_a_feed() -> None:
    assert parse_feed(b"<rss version='2.0'><channel><title>t</title></channel></rss>").items == ()


@given(
    st.binary(max_size=120)
    | st.text(alphabet="<>/&;#!?[]'\" =\nrsitemle\ud800".replace("\ud800", "é"), max_size=120).map(
        lambda text: f"<rss version='2.0'><channel><item><title>{text}".encode()
    )
)
def test_any_bytes_are_a_feed_or_a_source_error(body: bytes) -> None:
    try:
        feed = parse_feed(body)
    except SourceError:
        return
    for item in feed.items:
        assert item.title or item.text


@pytest.mark.parametrize("half", ["&#xD83D;", "&#55357;", "&#XdfFf;"])
def test_half_a_character_breaks_neither_its_entry_nor_the_others(half: str) -> None:
    entries = "".join(
        f"<entry><id>urn:{n}</id><title>{text}</title></entry>"
        for n, text in enumerate([f"fête {half} au parc", "la piscine &#233; rouvre"])
    )
    body = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title>{entries}</feed>'
    feed = parse_feed(body.encode(), content_type="application/atom+xml")
    assert [item.title for item in feed.items] == ["fête \ufffd au parc", "la piscine é rouvre"]


@pytest.mark.parametrize("link", ["http://[::1", "https://]/x"])
def test_a_link_that_is_none_costs_no_message(link: str) -> None:
    feed = parse_feed(
        f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry>
<title>Au secours, l'eau monte</title><link href="{link}"/></entry></feed>""".encode(),
        url="https://x.example/flux",
    )
    assert [(item.title, item.link) for item in feed.items] == [("Au secours, l'eau monte", link)]
