"""The web application: one table of routes, each with who may use it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import jinja2
from aiohttp import web

from veille.alerts.clock_settings import usual
from veille.domain.access import Access
from veille.domain.promise import Promises
from veille.store.protocol import Store
from veille.web import (
    accessibility_page,
    account,
    answer_forms,
    audit_page,
    bulk_page,
    exports,
    factor_page,
    forms,
    hooks,
    incident_page,
    installable,
    item_page,
    ledger_page,
    links,
    live,
    login,
    login_code,
    metrics,
    more_page,
    now_page,
    oidc,
    oidc_exit,
    oncall_page,
    people_page,
    presence,
    probes,
    push_page,
    queue_page,
    rules_page,
    search_page,
    sessions,
    silence_page,
    slack,
    sources_page,
    static_files,
    taste,
    token_page,
    undo,
    views,
)
from veille.web.api import about
from veille.web.house import House
from veille.web.menu import MENU
from veille.web.network import networks
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
from veille.web.security import ACCESS, Handler, add_headers, errors, gate
from veille.web.settings import WebSettings
from veille.web.site import SITE, SITES, Site
from veille.wording.catalogue import LANGUAGES, Catalogue, catalogue

_FORM_LIMIT = 64 * 1024
ROUTES: tuple[tuple[str, str, Handler, Access], ...] = (
    ("GET", "/", now_page.page, Access.READ),
    ("GET", "/incidents/{id}", incident_page.page, Access.READ),
    ("POST", "/incidents/{id}/{verb}", forms.on_incident, Access.ACT),
    ("GET", "/queue", queue_page.page, Access.READ),
    ("POST", "/queue/bulk", bulk_page.do, Access.ACT),
    ("POST", "/queue/bulk/preview", bulk_page.preview, Access.ACT),
    ("POST", "/undo/{id}", undo.take_back, Access.ACT),
    ("POST", "/queue/templates/keep", answer_forms.keep_template, Access.EDIT),
    ("POST", "/queue/templates/remove", answer_forms.remove_template, Access.EDIT),
    ("POST", "/queue/views/add", views.add, Access.READ),
    ("POST", "/queue/views/{id}/remove", views.remove, Access.READ),
    ("POST", "/presence/{id}", presence.beat, Access.READ),
    ("GET", "/queue/export", exports.of_queue, Access.ACT),
    ("GET", "/queue/{id}", item_page.page, Access.READ),
    ("GET", "/queue/{id}/why", item_page.page_with_reasons, Access.READ),
    ("GET", "/queue/{id}/whynot", item_page.page_with_rule, Access.READ),
    ("POST", "/queue/{id}/{verb}", forms.on_item, Access.ACT),
    ("POST", "/mentions/{key}/original", item_page.original, Access.ACT),
    ("GET", "/search", search_page.page, Access.READ),
    ("GET", "/search/export", exports.of_search, Access.ACT),
    ("POST", "/search/queue", search_page.add, Access.ACT),
    ("GET", "/ledger", ledger_page.page, Access.READ),
    ("GET", "/sources", sources_page.page, Access.READ),
    ("GET", "/rules", rules_page.page, Access.READ),
    ("GET", "/rules/files/{name}", rules_page.file, Access.READ),
    ("GET", "/rules/{id}", rules_page.rule, Access.READ),
    ("POST", "/rules/{id}/test", rules_page.test, Access.EDIT),
    ("GET", "/silences", silence_page.page, Access.READ),
    ("POST", "/silences/preview", silence_page.preview, Access.ACT),
    ("POST", "/silences/add", silence_page.add, Access.ACT),
    ("POST", "/silences/expire", silence_page.expire, Access.ACT),
    ("GET", "/on-call", oncall_page.page, Access.READ),
    ("POST", "/on-call/preview", oncall_page.preview, Access.ACT),
    ("POST", "/on-call/change", oncall_page.change, Access.ACT),
    ("POST", "/on-call/withdraw", oncall_page.withdraw, Access.ACT),
    ("GET", "/audit", audit_page.page, Access.AUDIT),
    ("GET", "/audit/export", audit_page.export, Access.AUDIT),
    ("GET", "/account", account.page, Access.READ),
    ("POST", "/account/password", account.change_password, Access.READ),
    ("POST", "/account/revoke", account.revoke, Access.READ),
    ("POST", "/account/language", account.choose_language, Access.READ),
    ("GET", "/account/factor", factor_page.page, Access.READ),
    ("POST", "/account/factor/propose", factor_page.propose, Access.READ),
    ("POST", "/account/factor/confirm", factor_page.confirm, Access.READ),
    ("POST", "/account/factor/renew", factor_page.renew, Access.READ),
    ("POST", "/account/factor/remove", factor_page.remove, Access.READ),
    ("GET", "/account/tokens", token_page.page, Access.READ),
    ("POST", "/account/tokens/add", token_page.add, Access.READ),
    ("POST", "/account/tokens/revoke", token_page.revoke, Access.READ),
    ("POST", "/account/push/add", push_page.add, Access.READ),
    ("POST", "/account/push/try", push_page.try_out, Access.READ),
    ("POST", "/account/push/remove", push_page.remove, Access.READ),
    ("POST", "/account/offline", push_page.keep, Access.READ),
    ("GET", "/users", people_page.page, Access.ADMIN),
    ("POST", "/users/{verb}", people_page.change, Access.ADMIN),
    ("GET", "/live", live.page_stream, Access.READ),
    ("GET", "/live/gone", live.gone, Access.READ),
    ("GET", "/more", more_page.page, Access.READ),
    ("GET", "/help/keys", more_page.keys, Access.READ),
    ("POST", "/preferences", more_page.prefer, Access.READ),
    ("GET", "/login", login.page, Access.PUBLIC),
    ("POST", "/login", login.submit, Access.PUBLIC),
    ("GET", "/login/code", login_code.page, Access.PUBLIC),
    ("POST", "/login/code", login_code.submit, Access.PUBLIC),
    ("GET", "/login/provider", oidc.leave, Access.PUBLIC),
    ("GET", "/login/provider/back", oidc.back, Access.PUBLIC),
    ("GET", "/login/provider/out", oidc_exit.out, Access.PUBLIC),
    ("GET", "/invitations/{token}", oidc.invitation, Access.PUBLIC),
    ("POST", "/logout", login.leave, Access.READ),
    ("GET", "/static/{name}", static_files.serve, Access.PUBLIC),
    ("GET", "/manifest.webmanifest", installable.manifest, Access.PUBLIC),
    ("GET", "/sw.js", installable.worker, Access.PUBLIC),
    ("GET", "/offline", installable.offline, Access.PUBLIC),
    ("GET", "/accessibility", accessibility_page.page, Access.PUBLIC),
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
    secret: bytes | None = None,
    provider: Provider | None = None,
    promises: Promises | None = None,
    push_desk: PushDesk | None = None,
    house: House | None = None,
) -> web.Application:
    """Return the application; ConfigError for an unknown language or a wrong trusted proxy.

    Sessions live by `now`; ages on pages are counted from `shown_now`, where it is another clock.
    Without `secret`, 32 bytes, second factors last as long as this process does: for tests.
    """
    say, files = catalogue(language), static_files.load()
    site = Site(
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
        topics=topics or {},
        explainer=explainer,
        asker=asker,
        slack=slack_desk,
        links=link_desk,
        on_call=on_call,
        secret=secret or secrets.token_bytes(32),
        provider=provider,
        promises=promises or usual(timezone),
        push=push_desk,
        house=house or House(),
    )
    return _furnished(site, files, live.Hub(store, now=now))


def _in_other_languages(site: Site, files: static_files.StaticFiles) -> dict[str, Site]:
    said = {other: catalogue(other) for other in LANGUAGES if other != site.say.language}
    return {
        other: replace(site, say=say, templates=_templates(say, site.institution, files))
        for other, say in said.items()
    }


def _furnished(site: Site, files: static_files.StaticFiles, hub: live.Hub) -> web.Application:
    app = web.Application(middlewares=[errors, gate], client_max_size=_FORM_LIMIT)
    app[SITE] = site
    app[SITES] = _in_other_languages(app[SITE], files)
    app[static_files.FILES] = files
    app[presence.PRESENCE] = presence.Presence()
    app[live.HUB] = hub
    app.on_shutdown.append(hub.close)
    app[ACCESS] = {(method, path): access for method, path, _, access in ROUTES}
    app.on_response_prepare.append(add_headers)
    for method, path, handler, _ in ROUTES:
        app.router.add_route(method, path, handler)
        if method == "GET":
            app.router.add_route("HEAD", path, handler)
    about.install(app, rate=app[SITE].settings.api_rate)
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
    environment.globals["letters"] = "".join(key for key, _ in more_page.KEYS)
    environment.globals["bars"] = taste.BARS
    environment.globals["idle_s"] = round(sessions.IDLE.total_seconds())
    return environment
