"""What the Mastodon API says around its statuses: addresses, pages, limits, refusals."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from veille.domain.errors import SourceError
from veille.net.client import Response
from veille.net.retry import retry_after_s

PAGE = 40
"""The most a timeline gives at once (docs.joinmastodon.org/methods/timelines)."""
RESERVE = 30
"""A tenth of the 300 requests in five minutes (docs.joinmastodon.org/api/rate-limits) is left to
other programs of the same account and address."""
WINDOW = timedelta(minutes=5)
RECENT = PAGE
"""How many of the newest are read again at each connection. A remote status has the id of its date,
not of its arrival: one that comes late stands before the newest. And no stream tells afterwards
what was edited or deleted meanwhile."""
_PREVIOUS = re.compile(r'<([^<>]{1,2048})>\s*;\s*rel="?prev"?')
_FINAL = {
    400: "the request is refused: check streams",
    401: "the token is missing, wrong or withdrawn: make one that may read:statuses",
    403: "refused: the token lacks read:statuses or read:notifications, or the stream is closed",
    404: "nothing is there: check url and streams",
    410: "nothing is there any more: remove this source",
    422: "a token is needed: make one that may read:statuses, and name it as token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One entry of `streams`: where it flows, and where its past is read."""

    name: str
    streaming: str
    timeline: str

    @property
    def is_notifications(self) -> bool:
        """Whether its past is a list of notifications instead of statuses."""
        return self.name == "user:notification"

    def page(self, place: str | None) -> str:
        """Return the path of the page just after `place`, without one of the newest page."""
        asked = {"limit": str(PAGE)} | ({} if place is None else {"min_id": place})
        return f"{self.timeline}{'&' if '?' in self.timeline else '?'}{urlencode(asked)}"


class Places:
    """Where reading goes on in each stream: the cursor of the source.

    It holds times, not ids: nobody goes through cursors when a status is erased.
    """

    def __init__(self, cursor: str | None, names: Iterable[str]) -> None:
        try:
            known = msgspec.json.decode(cursor or "{}", type=dict[str, str])
        except msgspec.DecodeError:
            known = {}
        self._start = {name: known.get(name) for name in names}
        self._recent = {name: deque[str](maxlen=RECENT) for name in self._start}

    def start(self, name: str) -> str | None:
        """Return the place before the newest ids, None when nothing was read."""
        return self._start[name]

    def newest(self, name: str) -> str | None:
        """Return the id read last at this connection; None when there is none."""
        recent = self._recent[name]
        return recent[-1] if recent else None

    def advance(self, name: str, place: str) -> None:
        """`place` is the newest id of this stream."""
        recent, start = self._recent[name], self._start[name]
        if place in recent:
            recent.remove(place)
        recent.append(place)
        if start is None:
            self._start[name] = before(place)
        elif len(recent) == RECENT:  # a late one stands far back: what was read is not read again
            self._start[name] = max(start, before(recent[0]), key=_in_order)

    def cursor(self) -> str:
        """Return what goes on from here after a restart."""
        places = {name: start for name, start in self._start.items() if start is not None}
        return msgspec.json.encode(places).decode()


def before(id_: str) -> str:
    """Return a place just before this id: of a status its time alone.

    A status has a time in milliseconds and 16 bits (mastodon/mastodon, lib/mastodon/snowflake.rb).
    Notifications are counted. Other servers have letters, in the order of text.
    """
    if not (id_.isascii() and id_.isdigit()):
        return id_[:-2] + "00"
    number = int(id_) - 1
    return str(number >> 16 << 16 if number >= 1 << 32 else max(number, 0))


def _in_order(place: str) -> tuple[int, str]:
    return len(place), place


class _Urls(Struct, frozen=True):
    streaming: str | None = None
    streaming_api: str | None = None


class _Configuration(Struct, frozen=True):
    urls: _Urls = _Urls()


class _Instance(Struct, frozen=True):
    configuration: _Configuration = _Configuration()
    urls: _Urls = _Urls()


def stream_of(name: str) -> Stream:
    """Return the addresses of an entry that the settings have checked."""
    kind, _, tag = name.partition(":")
    if kind == "hashtag":
        tag = quote(tag, safe="")
        streaming, timeline = f"hashtag?tag={tag}", f"timelines/tag/{tag}"
    else:
        streaming, timeline = _FIXED[name]
    return Stream(
        name=name, streaming=f"/api/v1/streaming/{streaming}", timeline=f"/api/v1/{timeline}"
    )


_FIXED = {
    "public": ("public", "timelines/public"),
    "public:local": ("public/local", "timelines/public?local=true"),
    "user": ("user", "timelines/home"),
    "user:notification": ("user/notification", "notifications?types%5B%5D=mention"),
}


def streaming_base(body: bytes, *, url: str) -> str | None:
    """Return where the instance document says its streams are, None when it says nothing.

    As http or https: never in clear where the server itself is reached by TLS.
    """
    try:
        instance = msgspec.json.decode(body, type=_Instance)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    said = instance.configuration.urls.streaming or instance.urls.streaming_api
    if not said:
        return None
    is_plain = said.startswith(("ws://", "http://")) and url.startswith("http://")
    _, _, rest = said.partition("://")
    return f"{'http' if is_plain else 'https'}://{rest.rstrip('/')}" if rest else None


def following(headers: Mapping[str, str]) -> str | None:
    """Return the place after this page, from its Link header; the link itself is never followed.

    What is asked next is built here, so that no header sends the token elsewhere.
    """
    found = _PREVIOUS.search(headers.get("link", "")[:16_384])
    try:
        return parse_qs(urlsplit(found[1]).query)["min_id"][0] if found else None
    except (KeyError, ValueError):
        return None


def pause(headers: Mapping[str, str], now: datetime) -> timedelta:
    """Return how long to wait before the next request: nothing until few are left."""
    left = remaining(headers)
    if left is None or left > RESERVE:
        return timedelta(0)
    return _until_reset(headers, now) or timedelta(0)


def remaining(headers: Mapping[str, str]) -> int | None:
    """Return how many requests are left in the server's window, None when it does not say."""
    try:
        return int(headers.get("x-ratelimit-remaining", "")[:9])
    except ValueError:
        return None


def refusal(source: str, status: int, headers: Mapping[str, str], now: datetime) -> SourceError:
    """Return the error of a status other than 200, with the remedy or the wait asked for."""
    what = f"source {source}: HTTP {status}"
    if status in _FINAL:
        return SourceError(f"{what}: {_FINAL[status]}", may_retry=False)
    wait_s = retry_after_s(headers.get("retry-after"), now)
    if wait_s is None and status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = _until_reset(headers, now)
        wait_s = None if wait is None else wait.total_seconds()
    return SourceError(f"{what}: will be asked again", retry_after_s=wait_s)


def elements(response: Response, source: str) -> list[bytes]:
    """Return the elements of a page, undecoded; SourceError when it is no list."""
    try:
        return list(map(bytes, msgspec.json.decode(response.body, type=list[msgspec.Raw])))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"source {source}: a page that is no list: check url") from error


def _until_reset(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """X-RateLimit-Reset is an ISO date; no clock may make us wait longer than the window."""
    try:
        at = datetime.fromisoformat(headers.get("x-ratelimit-reset", "")[:40])
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), WINDOW)
