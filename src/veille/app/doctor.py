"""`veille doctor`: everything looked at, from the machine to the receivers; nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from veille.app import access, check, machine
from veille.app.channels import collector, notifiers
from veille.app.desks import has_buttons
from veille.app.machine import Check, State
from veille.app.parts import source_names
from veille.collectors.base import StreamCollector, WebhookSource
from veille.collectors.settings import SourceSettings
from veille.collectors.webhook import MAX_CLOCK_SKEW
from veille.config import Loaded, load
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError, VeilleError
from veille.net.client import Client, Response
from veille.net.signature import decode_secret
from veille.notifiers.settings import SlackReceiver
from veille.wording.catalogue import Catalogue, catalogue
from veille.wording.receivers import with_id

READ_S = 30.0
STREAM_S = 15.0
VERIFY_S = 60.0


async def examine(path: Path | None) -> AsyncIterator[Check]:
    """Yield what was found, one thing at a time; no store is written, nothing is sent.

    A configuration that cannot be read is a problem like others: the machine is looked at first.
    Secrets that are refused are one too: what needs none is looked at.
    """
    try:
        loaded = load(path, is_lenient=True)
    except ConfigError as error:
        for found in _unconfigured(error, catalogue("fr")):
            yield found
        return
    say = catalogue(loaded.config.veille.language)
    for found in _here(loaded, say):  # nothing else runs in this loop
        yield found
    is_running = machine.is_running(loaded)
    async for found in _web(loaded, say, is_running=is_running):
        yield found
    if (provider := await access.check(loaded, say)) is not None:
        yield provider
    async for found in _sources(loaded, say, is_running=is_running):
        yield found
    async for found in _receivers(loaded, say):
        yield found
    for found in _buttons(loaded, say):
        yield found


def _unconfigured(error: ConfigError, say: Catalogue) -> Iterator[Check]:
    yield from machine.software(say)
    for line in str(error).splitlines():
        yield _problem("config", line, say("start.doctor.config_remedy"))


def _here(loaded: Loaded, say: Catalogue) -> Iterator[Check]:
    yield from machine.software(say)
    yield from _config(loaded, say)
    yield from machine.places(loaded, say)
    yield machine.clock(loaded, say, utc_now())
    yield from machine.understanding(loaded, say)


def _config(loaded: Loaded, say: Catalogue) -> Iterator[Check]:
    found, trouble = check.findings(loaded), loaded.secrets.trouble
    for finding in found:
        if not trouble or trouble not in finding:  # machine.places tells it
            yield _problem("config", finding, say("start.doctor.config_remedy"))
    if not found and not trouble:
        yield Check(area="config", text=say("start.doctor.config", path=loaded.path))


async def _web(loaded: Loaded, say: Catalogue, *, is_running: bool) -> AsyncIterator[Check]:
    web = loaded.config.web
    if is_running:
        url = f"http://{_reachable(web.listen)}/livez"
        try:
            async with Client(allow_private=True, time_limit=timedelta(seconds=5)) as client:
                status = (await client.get(url)).status
        except VeilleError as error:
            yield _problem("daemon", str(error), say("start.doctor.daemon_remedy"))
        else:
            key = "start.doctor.daemon" if status == 200 else "start.doctor.daemon_ill"  # noqa: PLR2004 HTTP
            state = State.FINE if status == 200 else State.PROBLEM  # noqa: PLR2004 HTTP
            yield Check(area="daemon", text=say(key, status=status, listen=web.listen), state=state)
    else:
        text = say("start.doctor.stopped")
        yield Check(area="daemon", text=text, state=State.CAUTION, remedy="veille run")
    host = urlsplit(web.public_url).hostname or ""
    text = say("start.doctor.web", url=web.public_url)
    if web.is_https or _is_here(host):
        yield Check(area="web", text=text)
    else:
        yield _problem("web", say("start.doctor.no_tls", url=web.public_url),
                       say("start.doctor.no_tls_remedy"))  # fmt: skip


def _reachable(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Dated(Client):
    """A client that notes what time each server that answers says it is."""

    def __init__(self, heard: list[str], **options: Any) -> None:  # Any: passed on
        super().__init__(**options)
        self._heard = heard

    async def get(self, url: str, **options: Any) -> Response:  # Any: passed on
        response = await super().get(url, **options)
        self._heard += [response.headers.get("date", "")]
        return response


async def _sources(loaded: Loaded, say: Catalogue, *, is_running: bool) -> AsyncIterator[Check]:
    if not loaded.config.source:
        yield Check(
            area="source",
            text=say("start.doctor.no_source"),
            state=State.CAUTION,
            remedy="veille add source rss",
        )
    heard: list[str] = []
    names = source_names(loaded)
    for source in loaded.config.source:
        name = with_id(source.id, names)
        try:
            if isinstance(source, WebhookSource):
                decode_secret(loaded.secrets(source.secret))
                yield _pushed(name, say, is_running=is_running)
                continue
            count = await _read_once(source, loaded, heard)
        except VeilleError as error:
            remedy = say("start.doctor.source_remedy", source=source.id)
            text = say("start.doctor.says", name=name, answer=error)
            yield _problem("source", text, remedy)
        else:
            text = say("start.doctor.source", source=name, count=count)
            yield Check(area="source", text=text)
    if heard and (skew := _skew(heard[-1], utc_now())) is not None:
        yield _skewed(skew, say)


async def _read_once(source: SourceSettings, loaded: Loaded, heard: list[str]) -> int:
    """Return how many items one read gave; VeilleError when the source does not answer."""
    async with AsyncExitStack() as stack:
        found = await collector(loaded, source, stack, client=partial(_Dated, heard))
        limit_s = STREAM_S if isinstance(found, StreamCollector) else READ_S
        try:
            async with asyncio.timeout(limit_s):
                if isinstance(found, StreamCollector):
                    async with aclosing(found.flow(None)) as flow:
                        return len((await anext(flow)).mentions)
                return 0 if found is None else len((await found.read(None)).mentions)
        except TimeoutError as error:
            raise VeilleError(f"no answer within {limit_s:.0f} s") from error
        except StopAsyncIteration as error:
            raise VeilleError("the stream ended at once") from error


def _pushed(source: str, say: Catalogue, *, is_running: bool) -> Check:
    if is_running:
        return Check(area="source", text=say("start.doctor.door", source=source))
    return Check(
        area="source",
        text=say("start.doctor.door_shut", source=source),
        state=State.CAUTION,
        remedy="veille run",
    )


def _skew(header: str, now: datetime) -> timedelta | None:
    try:
        return abs(now - parsedate_to_datetime(header))
    except (ValueError, TypeError, OverflowError):  # not a date, or one without a zone
        return None


def _skewed(skew: timedelta, say: Catalogue) -> Check:
    text = say("start.doctor.skew", seconds=f"{skew.total_seconds():.0f}")
    if skew > MAX_CLOCK_SKEW:  # from here on pushed mentions are refused
        return _problem("clock", text, say("start.doctor.clock_remedy"))
    return Check(area="clock", text=text)


async def _receivers(loaded: Loaded, say: Catalogue) -> AsyncIterator[Check]:
    if not loaded.config.receiver:
        yield Check(
            area="receiver",
            text=say("start.doctor.no_receiver"),
            state=State.CAUTION,
            remedy="veille add receiver slack",
        )
    async with AsyncExitStack() as stack:
        for name, notifier in (await notifiers(loaded, stack)).items():
            try:
                async with asyncio.timeout(VERIFY_S):
                    answer = await notifier.verify()
            except TimeoutError:
                text = say("start.doctor.silent", receiver=name, seconds=f"{VERIFY_S:.0f}")
                yield _problem("receiver", text, say("start.doctor.receiver_remedy", receiver=name))
            except VeilleError as error:
                remedy = say("start.doctor.receiver_remedy", receiver=name)
                text = say("start.doctor.says", name=name, answer=error)
                yield _problem("receiver", text, remedy)
            else:
                text = say("start.doctor.says", name=name, answer=answer)
                yield Check(area="receiver", text=text)


def _buttons(loaded: Loaded, say: Catalogue) -> Iterator[Check]:
    """Say whether messages in Slack have buttons, and where Slack must reach veille for them."""
    if not any(isinstance(receiver, SlackReceiver) for receiver in loaded.config.receiver):
        return
    address = loaded.config.web.public_url.rstrip("/")
    if not has_buttons(loaded):
        text, remedy = say("start.doctor.no_buttons"), say("start.doctor.no_buttons_remedy")
        yield Check(area="slack", text=text, state=State.CAUTION, remedy=remedy)
    elif not loaded.config.web.is_https:
        text = say("start.doctor.buttons_unreachable", url=address)
        remedy = say("start.doctor.no_tls_remedy")
        yield Check(area="slack", text=text, state=State.CAUTION, remedy=remedy)
    else:
        yield Check(area="slack", text=say("start.doctor.buttons", url=f"{address}/slack/actions"))


def _problem(area: str, text: str, remedy: str) -> Check:
    return Check(area=area, text=text, state=State.PROBLEM, remedy=remedy)
