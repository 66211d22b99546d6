"""What every page needs: the site, who is visiting, and how a page is rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from veille.domain.access import Access, Role, may
from veille.store.protocol import Store
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
    SlackDesk,
)
from veille.web.settings import WebSettings
from veille.web.words import Words
from veille.wording.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody with a live session. `session` is the hash of its token, `csrf` its form token."""

    name: str
    role: Role
    session: str
    csrf: str
    must_change: bool

    def may(self, access: str) -> bool:
        """Whether this person is granted it; templates say it by name."""
        return may(self.role, Access(access))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What `app.build` was given, and what is made once from it; `topics` are names by id."""

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
    passwords: PasswordDesk
    topics: Mapping[str, str]
    explainer: Explainer | None
    slack: SlackDesk | None = None
    links: LinkDesk | None = None
    on_call: Callable[[], Awaitable[Sequence[str]]] | None = None
    asker: Asker | None = None


SITE = web.AppKey("site", Site)
VISITOR = web.RequestKey("visitor", Visitor)


def site_of(request: web.Request) -> Site:
    """Return the site this request came to."""
    return request.config_dict[SITE]


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
    )


def render(
    request: web.Request, template: str, *, status: int = 200, **values: object
) -> web.Response:
    """Return the page of `template`, escaped throughout, with the visitor's navigation."""
    html = (
        site_of(request)
        .templates.get_template(template)
        .render(visitor=request.get(VISITOR), path=request.path, words=words_of(request), **values)
    )
    return web.Response(text=html, content_type="text/html", charset="utf-8", status=status)


def see(path: str) -> web.Response:
    """Return the redirect that turns an accepted form into a page that may be reloaded."""
    return web.Response(status=303, headers={"Location": path})


def render_watched(
    request: web.Request,
    template: str,
    *,
    marks: Sequence[str],
    status: int = 200,
    **values: object,
) -> web.Response:
    """Return a page that says when it has news: `marks` names each thing on it, with its version.

    A HEAD with the page's ETag answers 304 while nothing changed, else the marks of now, so that
    the page may count what is new. A mark that ends in `!` is a critical incident.
    """
    joined = " ".join(marks)
    etag = f'W/"{hashlib.sha256(joined.encode()).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Veille-Marks": joined}
    if request.method == "HEAD" and request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    page = render(request, template, status=status, marks=joined, etag=etag, **values)
    page.headers.update(headers)
    return page


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return the text fields of a form, none for a body that is no form; 400 if unreadable."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        form = await request.post()
    except (ValueError, LookupError) as error:  # bytes that are not in the charset, or no charset
        raise web.HTTPBadRequest from error
    return {name: value for name, value in form.items() if isinstance(value, str)}


def done_of(request: web.Request, name: str) -> str | None:
    """Return what the form that led here did, as a sentence; only ours are said."""
    say = site_of(request).say
    key = f"web.done.{request.query.get('done', '')}"
    return say(key, id=name) if key in say.messages else None
