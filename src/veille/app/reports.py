"""The weekly summary, from the configuration: who gets it, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from veille.app import parts
from veille.config import Loaded
from veille.domain.errors import DeliveryError, InputError, StoreError
from veille.domain.notification import Document
from veille.notifiers.settings import EmailReceiver
from veille.pipeline.deliver import Documents
from veille.reports import digest
from veille.reports.compose import compose
from veille.reports.figures import Summary
from veille.reports.page import Page
from veille.reports.render import to_csv, to_html, to_json, to_markdown
from veille.reports.schedule import Schedule, week_of
from veille.reports.summary import summarize
from veille.reports.week import Week
from veille.store import silences
from veille.store.protocol import Store
from veille.wording.catalogue import catalogue
from veille.wording.receivers import receiver_names

log = structlog.get_logger()


def receivers(loaded: Loaded) -> tuple[str, ...]:
    """Return who gets the summary: those named, else every e-mail receiver."""
    named = loaded.config.reports.to
    if named is not None:
        return named
    return tuple(r.id for r in loaded.config.receiver if isinstance(r, EmailReceiver))


def schedule(loaded: Loaded, store: Store) -> Schedule | None:
    """Return the stage that plans the summary, None when it is off or nobody gets it."""
    when, to = loaded.config.reports.when, receivers(loaded)
    if when is None or not to:
        return None
    return Schedule(store, when=when, zone=loaded.timezone, receivers=to)


def documents(
    loaded: Loaded, store: Store, receiver: str, *, now: Callable[[], datetime]
) -> Documents:
    """Return what composes digests and the summary for this receiver.

    The summary quotes only by mail, if at all.

    On Slack, webhooks and MQTT what is quoted must be taken back when it is deleted, and a
    document is never edited.
    """
    settings = next(r for r in loaded.config.receiver if r.id == receiver)
    quotes = settings.quotes and isinstance(settings, EmailReceiver)

    async def write(key: str) -> Document:
        try:
            if digest.is_digest(key):
                page = await _digest(loaded, store, key, receiver)
            else:
                made_at = now()
                week = _over(week_of(key, loaded.timezone), made_at)
                summary = await read(loaded, store, week, now=made_at, quotes=quotes)
                page = _page(summary, loaded)
            text, html = to_markdown(page), to_html(page)
        except StoreError as error:
            raise DeliveryError(f"{key}: {error}") from error
        except InputError as error:
            raise DeliveryError(f"{key}: {error}", is_content=True) from error
        except Exception as error:  # the edge of a document: alerts of this receiver wait behind it
            log.exception("document_failed", key=key)
            again = "" if digest.is_digest(key) else "; veille report weekly writes it again"
            cause = f"{key}: {type(error).__name__} while it was written: look at the log{again}"
            raise DeliveryError(cause, is_content=True) from error
        return Document(key=key, subject=page.subject, text=text, html=html)

    return write


def _page(summary: Summary, loaded: Loaded) -> Page:
    say = catalogue(loaded.config.veille.language)
    receivers = receiver_names(say, parts.receivers(loaded))
    return compose(
        summary, say, names={"source": parts.source_names(loaded), "receiver": receivers}
    )


async def _digest(loaded: Loaded, store: Store, key: str, receiver: str) -> Page:
    found = await store.read(lambda db: silences.of_digest(db, key, receiver))
    return digest.compose(
        found,
        catalogue(loaded.config.veille.language),
        institution=loaded.config.veille.name,
        zone=loaded.timezone,
        link=loaded.config.web.public_url,
    )


def _over(week: Week, now: datetime) -> Week:
    if now < week.ends_at:  # planned by a clock that ran ahead: the schedule takes it back
        raise InputError(f"{week.name} is not over by this clock: planned again at its hour")
    return week


async def read(loaded: Loaded, store: Store, week: Week, *, now: datetime, quotes: bool) -> Summary:
    """Return the summary of a week; InputError when it has not begun."""
    if now < week.starts_at:
        raise InputError(f"{week.name} has not begun: name a week that has, as 2026-W47")
    listed, promises = [s.id for s in loaded.config.source], parts.promises(loaded)
    return await store.read(
        lambda db: summarize(
            db,
            week,
            institution=loaded.config.veille.name,
            listed=listed,
            now=now,
            quotes=quotes,
            promises=promises,
        )
    )


async def report(
    loaded: Loaded, store: Store, *, week: str | None, format: str, now: datetime, quotes: bool
) -> str:
    """Return the summary of the named week, or of the last one that is over, in this format."""
    zone = loaded.timezone
    asked = Week.of(now, zone).previous if week is None else Week.named(week, zone)
    summary = await read(loaded, store, asked, now=now, quotes=quotes)
    if format == "json":
        return to_json(summary)
    if format == "csv":
        return to_csv(summary)
    page = _page(summary, loaded)
    return to_html(page) if format == "html" else to_markdown(page)
