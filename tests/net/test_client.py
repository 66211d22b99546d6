"""The client: guarded at each hop, bounded in size and time, silent about secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from veille.domain.errors import ConfigError, SourceError
from veille.net.client import TRANSPORT_ERRORS, Client

if TYPE_CHECKING:
    from tests.net.conftest import Site


async def test_an_answer_comes_with_lower_case_headers(site: Site) -> None:
    async with Client(allow_private=True) as client:
        answer = await client.get(site.url("/ok"))
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"bonjour", '"1"')
    assert answer.moved_to is None


async def test_cookies_are_never_sent_back(site: Site) -> None:
    async with Client(allow_private=True) as client:
        await client.get(site.url("/ok"))
        await client.get(site.url("/ok"))
    assert "cookie" not in site.seen[-1][1]


async def test_a_private_address_needs_the_flag(site: Site) -> None:
    async with Client() as client:
        for url in (site.url("/ok"), site.url("/ok").replace("127.0.0.1", "localhost")):
            with pytest.raises(SourceError, match="allow_private = true") as caught:
                await client.get(url)
            assert not caught.value.may_retry
    assert site.seen == []


async def test_redirects_on_the_same_host_are_followed(site: Site) -> None:
    async with Client(allow_private=True) as client:
        answer = await client.get(site.url("/to?url=/to%3Furl%3D/ok"))
    assert (answer.body, answer.url, answer.moved_to) == (b"bonjour", site.url("/ok"), None)


@pytest.mark.parametrize(
    ("first", "second", "is_moved"),
    [
        (301, 308, "/ok"),
        (308, 302, "/to?url=/ok&status=302"),
        (307, 301, None),
    ],
)
async def test_only_permanent_redirects_move_an_address(
    site: Site, first: int, second: int, is_moved: str | None
) -> None:
    inner = quote(f"/to?url=/ok&status={second}", safe="")
    async with Client(allow_private=True) as client:
        answer = await client.get(site.url(f"/to?status={first}&url={inner}"))
    assert answer.body == b"bonjour"
    assert answer.moved_to == (site.url(is_moved) if is_moved else None)


async def test_a_redirect_to_another_host_prints_the_line_to_add(site: Site) -> None:
    async with Client(allow_private=True) as client:
        with pytest.raises(SourceError, match=r'allow_hosts = \["www.presse.example"\]') as caught:
            await client.get(site.url("/to?url=https://www.presse.example/flux"))
    assert not caught.value.may_retry


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
async def test_a_redirect_reaches_no_private_host_even_if_listed(site: Site, host: str) -> None:
    target = site.url("/ok").replace("127.0.0.1", host)
    async with Client(allow_private=True, allow_hosts=[host]) as client:
        with pytest.raises(SourceError, match="private"):
            await client.get(site.url(f"/to?url={target}"))
    assert [path for path, _ in site.seen] == ["/to"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/", "http://[", "gopher://x"])
async def test_a_redirect_leaves_the_web_nowhere(site: Site, target: str) -> None:
    async with Client(allow_private=True) as client:
        with pytest.raises(SourceError):
            await client.get(site.url("/to?url=" + quote(target, safe="")))


async def test_a_loop_of_redirects_ends(site: Site) -> None:
    async with Client(allow_private=True) as client:
        with pytest.raises(SourceError, match="more than 3 redirects"):
            await client.get(site.url("/loop"))
    assert len(site.seen) == 4


async def test_secrets_stay_with_their_origin(site: Site) -> None:
    other = type(site)()
    await other.server.start_server()
    headers = {"Authorization": "Bearer s", "X-Token": "s", "If-None-Match": '"1"'}
    async with Client(allow_private=True) as client:
        await client.get(site.url("/to?url=/ok"), headers=headers)
        assert site.seen[-1][1]["authorization"] == "Bearer s"
        await client.get(site.url(f"/to?url={other.url('/ok')}"), headers=headers)
    await other.server.close()
    arrived = other.seen[-1][1]
    assert "authorization" not in arrived
    assert "x-token" not in arrived
    assert arrived["if-none-match"] == '"1"'


@pytest.mark.parametrize("path", ["/bomb", "/endless"])
async def test_an_answer_is_cut_off_at_its_limit_once_decompressed(site: Site, path: str) -> None:
    async with Client(allow_private=True) as client:
        with pytest.raises(SourceError, match="raise limit_bytes"):
            await client.get(site.url(path), limit_bytes=100_000)


async def test_an_answer_that_never_ends_is_given_up(site: Site) -> None:
    async with Client(allow_private=True, time_limit=timedelta(milliseconds=50)) as client:
        with pytest.raises(SourceError, match="no complete answer within") as caught:
            await client.get(site.url("/hangs"))
    assert caught.value.may_retry


async def test_messages_never_hold_path_query_or_password(site: Site) -> None:
    closed = site.server.port
    await site.server.close()
    async with Client(allow_private=True) as client:
        with pytest.raises(SourceError) as caught:
            await client.get(f"http://me:hush@127.0.0.1:{closed}/hush?token=hush")
    assert "127.0.0.1" in str(caught.value)
    assert "hush" not in str(caught.value)


async def test_the_shared_session_is_guarded_and_stays_where_it_is(site: Site) -> None:
    async with Client() as client:
        for url in (site.url("/ok"), site.url("/ok").replace("127.0.0.1", "localhost")):
            with pytest.raises(ConfigError, match="allow_private = true"):
                await client.session().get(url)
    async with Client(allow_private=True) as client:
        async with client.session().get(site.url("/ok")) as answer:
            assert answer.status == 200
        with pytest.raises(ConfigError, match="redirect"):
            await client.session().get(site.url("/to?url=/ok"))
        await site.server.close()
        with pytest.raises(TRANSPORT_ERRORS):
            await client.session().get(site.url("/ok"))


async def test_a_form_is_sent_to_guarded_addresses_and_follows_no_redirect(site: Site) -> None:
    async with Client() as client:
        with pytest.raises(SourceError, match="allow_private = true"):
            await client.post(site.url("/form"), form={"code": "x"})
    async with Client(allow_private=True) as client:
        answer = await client.post(site.url("/form"), form={"code": "é &"})
        assert answer.body == b'{"code": "\\u00e9 &"}'
        with pytest.raises(SourceError, match="redirect"):
            await client.post(site.url("/to?url=/form"), form={"code": "secret"})
        with pytest.raises(SourceError, match="over 4 bytes") as caught:
            await client.post(site.url("/form"), form={"code": "secret"}, limit_bytes=4)
    assert "secret" not in str(caught.value)


def test_a_moved_address_is_kept_only_on_known_hosts() -> None:
    client = Client(allow_hosts=["www.presse.example"])
    start = "https://presse.example/flux"
    assert client.may_visit("https://presse.example/feed", start=start)
    assert client.may_visit("https://WWW.presse.example/feed", start=start)
    assert not client.may_visit("https://autre.example/feed", start=start)
    assert not client.may_visit("file:///etc/passwd", start=start)
