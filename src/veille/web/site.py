"""What every page needs: the site, who is visiting, and how a page is rendered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from veille.domain.access import Access, Role, may
from veille.domain.promise import Promises
from veille.store.protocol import Store
from veille.web import taste
from veille.web.house import House
from veille.web.network import Networks
from veille.web.passwords import PasswordDesk
from veille.web.ports import (
    Actions,
    Asker,
    Explainer,
    Exposition,
    Health,
    Intake,
    LinkDesk,
    Originals,
    Provider,
    PushDesk,
    SlackDesk,
)
from veille.web.settings import WebSettings
from veille.web.words import Words
from veille.wording.catalogue import Catalogue
from veille.wording.receivers import receiver_names, source_names

_FORM_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody with a live session, or a program with a token of theirs.

    `session` is the hash of its token, `csrf` its form token, both "" for a program; `scopes` are
    what a program may at most, `token` is the number of its token. A person who `must_change` the
    password or `must_enroll` a second factor may do nothing else.
    """

    name: str
    role: Role
    session: str
    csrf: str
    must_change: bool
    must_enroll: bool = False
    scopes: frozenset[Access] | None = None
    language: str | None = None
    since: datetime | None = None
    ends_at: datetime | None = None
    token: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether something must be done before anything else."""
        return self.must_change or self.must_enroll

    def may(self, access: str) -> bool:
        """Whether this person is granted it; templates say it by name."""
        wanted = Access(access)
        return may(self.role, wanted) and (self.scopes is None or wanted in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What `app.build` was given, and what is made once from it.

    `topics` are names by id: what a mention may be corrected to. `on_call` says who is, a line a
    schedule. `promises` are those of settings that say nothing, unless given. `secret` seals second
    factors and what browsers hold between two steps of a login.
    """

    store: Store
    settings: WebSettings
    institution: str
    timezone: ZoneInfo
    say: Catalogue
    actions: Actions
    intake: Intake
    health: Health
    originals: Originals
    exposition: Exposition | None
    now: Callable[[], datetime]
    shown_now: Callable[[], datetime]
    proxies: Networks
    templates: jinja2.Environment
    passwords: PasswordDesk = field(default_factory=PasswordDesk)
    topics: Mapping[str, str]
    explainer: Explainer | None
    slack: SlackDesk | None = None
    links: LinkDesk | None = None
    promises: Promises
    on_call: Callable[[], Awaitable[Sequence[str]]] | None = None
    asker: Asker | None = None
    secret: bytes = field(repr=False)
    provider: Provider | None = None
    push: PushDesk | None = None
    house: House = field(default_factory=House)


SITE = web.AppKey("site", Site)
SITES = web.AppKey("sites", Mapping[str, Site])
"""The site in each language."""
VISITOR = web.RequestKey("visitor", Visitor)
COUNTS = web.RequestKey("counts", Mapping[str, int])
"""How much waits on pages of the menu, by path."""


def site_of(request: web.Request) -> Site:
    """Return the site this request came to, in the language of its visitor."""
    visitor = request.get(VISITOR)
    language = visitor.language if visitor else None
    return request.config_dict[SITES].get(language or "", request.config_dict[SITE])


def visitor_of(request: web.Request) -> Visitor:
    """Return who asks; only for routes the gate guards."""
    return request[VISITOR]


def words_of(request: web.Request) -> Words:
    """Return the site's words as of now."""
    site = site_of(request)
    return Words(
        say=site.say,
        timezone=site.timezone,
        now=site.shown_now(),
        institution=site.institution,
        topics=site.topics,
        receivers=receiver_names(site.say, site.house.receivers),
        sources=source_names({one.id: one.name for one in site.house.sources}),
    )


def access_words_of(request: web.Request) -> Words:
    """Return the site's words as of when sessions and tokens are counted (the demo has two)."""
    return replace(words_of(request), now=site_of(request).now())


def render(
    request: web.Request, template: str, *, status: int = 200, **values: object
) -> web.Response:
    """Return the page of `template`, escaped throughout, with the visitor's navigation."""
    site = site_of(request)
    known: dict[str, object] = {
        "visitor": request.get(VISITOR),
        "path": request.path,
        "address": _address(request, values),
        "words": words_of(request),
        "counts": request.get(COUNTS, {}),
        "theme": taste.theme(request),
        "keys_act": taste.has_keys(request),
        "conformity": site.settings.accessibility.conformity.value,
        "wrong": (),  # ids of the fields that a refused form is about
    }
    html = site.templates.get_template(template).render(known | values)
    page = web.Response(text=html, content_type="text/html", charset="utf-8", status=status)
    if request.method == "POST":  # a reload and "back" lead to the page of the form, not to it
        page.headers["HX-Push-Url"] = "false"
    return page


def _address(request: web.Request, values: Mapping[str, object]) -> str:
    """Return where this page may be read again: a form that was refused stands at another one."""
    return request.path_qs if request.method == "GET" else str(values.get("base") or "/")


def _read_at(request: web.Request) -> str:
    return request.path_qs if request.method == "GET" else ""


def see(path: str) -> web.Response:
    """Return the redirect that turns an accepted form into a page that may be reloaded."""
    return web.Response(status=303, headers={"Location": path})


def render_watched(
    request: web.Request,
    template: str,
    *,
    marks: Mapping[str, str],
    base: str = "",
    fresh: str = "",
    status: int = 200,
    **values: object,
) -> web.Response:
    """Return a page that stays fresh: `marks` are store.pulse's, of the snapshot it was read from.

    When one changes, the page is read again: elements with the same `data-live` are replaced where
    they stand, others announced. `base` is where it is read when it answers a form ("": nowhere);
    `fresh` is where what is announced stands, and then `base` is read always.
    """
    words = words_of(request)
    live = {
        "since": " ".join(f"{topic}.{mark}" for topic, mark in marks.items()),
        "page": base if base and (fresh or request.method == "POST") else _read_at(request),
        "fresh": fresh,
        "at": words.moment(words.now),
    }
    page = render(request, template, status=status, live=live, base=base, **values)
    if request.method == "POST" and base:  # refused: the address is one that may be reloaded
        page.headers["HX-Push-Url"] = base
    return page


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return the text fields of a form, none for a body that is no form; 400 if unreadable.

    408 for one that takes over 10 s to arrive: 64 KiB take 5 s at 120 kbit/s (EDGE).
    """
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        async with asyncio.timeout(_FORM_S):
            form = await request.post()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    # not in the charset, no charset, not packed as the headers say
    except (ValueError, LookupError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest from error
    return {name: value for name, value in form.items() if isinstance(value, str)}


def done_of(request: web.Request, name: str) -> str | None:
    """Return what the form that led here did, as a sentence; only ours are said."""
    say = site_of(request).say
    key = f"web.done.{request.query.get('done', '')}"
    return say(key, id=name) if key in say.messages else None
