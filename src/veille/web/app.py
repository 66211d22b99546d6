"""The web application: one table of routes, each with who may use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from veille.domain.access import Access
from veille.store.protocol import Store
from veille.web import (
    account,
    forms,
    hooks,
    incident_page,
    item_page,
    links,
    login,
    metrics,
    now_page,
    probes,
    silence_page,
    slack,
    static_files,
)
from veille.web.menu import MENU
from veille.web.network import networks
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
from veille.web.security import ACCESS, Handler, add_headers, errors, gate
from veille.web.settings import WebSettings
from veille.web.site import SITE, Site
from veille.wording.catalogue import Catalogue, catalogue

_FORM_LIMIT = 64 * 1024
ROUTES: tuple[tuple[str, str, Handler, Access], ...] = (
    ("GET", "/", now_page.page, Access.READ),
    ("GET", "/incidents/{id}", incident_page.page, Access.READ),
    ("POST", "/incidents/{id}/{verb}", forms.on_incident, Access.ACT),
    ("GET", "/queue/{id}", item_page.page, Access.READ),
    ("GET", "/queue/{id}/why", item_page.page_with_reasons, Access.READ),
    ("GET", "/queue/{id}/whynot", item_page.page_with_rule, Access.READ),
    ("POST", "/queue/{id}/{verb}", forms.on_item, Access.ACT),
    ("POST", "/mentions/{key}/original", item_page.original, Access.ACT),
    ("GET", "/silences", silence_page.page, Access.READ),
    ("POST", "/silences/preview", silence_page.preview, Access.ACT),
    ("POST", "/silences/add", silence_page.add, Access.ACT),
    ("POST", "/silences/expire", silence_page.expire, Access.ACT),
    ("GET", "/account", account.page, Access.READ),
    ("POST", "/account/password", account.change_password, Access.READ),
    ("POST", "/account/revoke", account.revoke, Access.READ),
    ("GET", "/login", login.page, Access.PUBLIC),
    ("POST", "/login", login.submit, Access.PUBLIC),
    ("POST", "/logout", login.leave, Access.READ),
    ("GET", "/static/{name}", static_files.serve, Access.PUBLIC),
    ("POST", "/hooks/{source}", hooks.receive, Access.PUBLIC),
    ("POST", "/slack/actions", slack.actions, Access.PUBLIC),
    ("POST", "/slack/commands", slack.commands, Access.PUBLIC),
    ("GET", "/l/{token}", links.page, Access.PUBLIC),
    ("POST", "/l/{token}", links.take, Access.PUBLIC),
    ("GET", "/livez", probes.live, Access.PUBLIC),
    ("GET", "/readyz", probes.ready, Access.PUBLIC),
    ("GET", "/metrics", metrics.show, Access.PUBLIC),
)


def build(
    *,
    store: Store,
    settings: WebSettings,
    institution: str,
    timezone: ZoneInfo,
    language: str,
    actions: Actions,
    intake: Intake,
    health: Health,
    originals: Originals,
    now: Callable[[], datetime],
    shown_now: Callable[[], datetime] | None = None,
    exposition: Exposition | None = None,
    topics: Mapping[str, str] | None = None,
    explainer: Explainer | None = None,
    asker: Asker | None = None,
    slack_desk: SlackDesk | None = None,
    link_desk: LinkDesk | None = None,
    on_call: Callable[[], Awaitable[Sequence[str]]] | None = None,
) -> web.Application:
    """Return the application; ConfigError for an unknown language or a wrong trusted proxy.

    `topics` are names by id: what a mention may be corrected to. Sessions live by `now`; ages on
    pages are counted from `shown_now`, where it is another clock. `on_call` says who is, a line a
    schedule.
    """
    app = web.Application(middlewares=[errors, gate], client_max_size=_FORM_LIMIT)
    say, files = catalogue(language), static_files.load()
    app[SITE] = Site(
        store=store,
        settings=settings,
        institution=institution,
        timezone=timezone,
        say=say,
        actions=actions,
        intake=intake,
        health=health,
        originals=originals,
        exposition=exposition if settings.metrics else None,
        now=now,
        shown_now=shown_now or now,
        proxies=networks(settings.trusted_proxies),
        templates=_templates(say, institution, files),
        passwords=PasswordDesk(),
        topics=topics or {},
        explainer=explainer,
        asker=asker,
        slack=slack_desk,
        links=link_desk,
        on_call=on_call,
    )
    app[static_files.FILES] = files
    app[ACCESS] = {(method, path): access for method, path, _, access in ROUTES}
    app.on_response_prepare.append(add_headers)
    for method, path, handler, _ in ROUTES:
        app.router.add_route(method, path, handler)
        if method == "GET":
            app.router.add_route("HEAD", path, handler)
    return app


def _templates(
    say: Catalogue, institution: str, files: static_files.StaticFiles
) -> jinja2.Environment:
    package = jinja2.PackageLoader("veille.web")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # all of them now: an upgrade in place replaces the files while the daemon before it still runs
    sources = {n: package.get_source(environment, n)[0] for n in package.list_templates()}
    environment.loader = jinja2.DictLoader(sources)
    environment.globals.update(t=say, menu=MENU, institution=institution, static=dict(files.paths))
    return environment
