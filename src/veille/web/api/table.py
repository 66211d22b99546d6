"""Every operation of the API, one a line: from here come routes, decoding and the document."""

from __future__ import annotations

from veille.domain.access import Access
from veille.web.api import (
    account,
    answers,
    audit,
    incidents,
    ledger,
    mentions,
    now,
    oncall,
    people,
    queue,
    reasons,
    rules,
    silences,
    sources,
    timelines,
    tokens,
    views,
)
from veille.web.api.operation import Operation, Raw, Run

READ, ACT, EDIT, AUDIT, ADMIN = Access.READ, Access.ACT, Access.EDIT, Access.AUDIT, Access.ADMIN
_FILES = ("text/csv", "application/jsonl", "application/atom+xml")
_MADE = 201


def _get(path: str, run: Run, access: Access = READ) -> Operation:
    return Operation(method="GET", path=path, access=access, run=run)


def _file(path: str, run: Raw) -> Operation:
    return Operation(method="GET", path=path, access=ACT, run=run, media=_FILES)


def _lines(path: str, run: Raw, access: Access) -> Operation:
    return Operation(method="GET", path=path, access=access, run=run, media=_FILES[1:2])


def _put(path: str, run: Run, access: Access) -> Operation:
    return Operation(method="PUT", path=path, access=access, run=run, status=204)


def _post(path: str, run: Run, access: Access = ACT, *, status: int = 200) -> Operation:
    return Operation(method="POST", path=path, access=access, run=run, status=status)


def _opened(path: str, run: Run) -> Operation:
    """Return an operation whose answer is stored nowhere: each time is one, in the audit trail."""
    return Operation(method="POST", path=path, access=ACT, run=run, is_kept=False)


def _on(path: str, run: Run, access: Access = ACT, *, method: str = "POST") -> Operation:
    """Return an operation that changes what the path names: `If-Match` says in which version."""
    return Operation(method=method, path=path, access=access, run=run, checks=True)


def _gone(path: str, run: Run, access: Access) -> Operation:
    """Return an operation that removes what the path names, in the version of `If-Match`."""
    return Operation(method="DELETE", path=path, access=access, run=run, status=204, checks=True)


def _delete(path: str, run: Run, access: Access) -> Operation:
    return Operation(method="DELETE", path=path, access=access, run=run, status=204)


OPERATIONS: tuple[Operation, ...] = (
    _get("/now", now.now),
    _post("/looks/{target}", now.look, READ, status=204),
    _get("/presence/{target}", now.present),
    _post("/presence/{target}", now.be, READ),
    _get("/incidents", incidents.list_),
    _get("/incidents/{incident}", incidents.get),
    _get("/incidents/{incident}/mentions", incidents.mentions),
    _get("/incidents/{incident}/timeline", incidents.timeline),
    _get("/incidents/{incident}/story", reasons.story),
    _get("/incidents/{incident}/why", reasons.of_incident),
    _on("/incidents/{incident}/take", incidents.take),
    _on("/incidents/{incident}/assign", incidents.assign),
    _on("/incidents/{incident}/resolve", incidents.resolve),
    _on("/incidents/{incident}/reopen", incidents.reopen),
    _on("/incidents/{incident}/verdict", incidents.judge),
    _on("/incidents/{incident}/merge", incidents.merge, EDIT),
    _on("/incidents/{incident}/split", incidents.split, EDIT),
    _post("/incidents/{incident}/notes", incidents.note, status=_MADE),
    _get("/queue", queue.list_),
    _post("/queue", mentions.queue_),
    _post("/queue/bulk", queue.bulk),
    _post("/queue/bulk/preview", queue.preview),
    _file("/queue/export", queue.export_queue),
    _get("/queue/{item}", queue.get),
    _get("/queue/{item}/timeline", queue.timeline),
    _get("/queue/{item}/why", reasons.of_item),
    _get("/queue/{item}/whynot", reasons.whynot),
    _on("/queue/{item}/take", queue.take),
    _on("/queue/{item}/assign", queue.assign),
    _on("/queue/{item}/release", queue.release),
    _on("/queue/{item}/move", queue.move),
    _on("/queue/{item}/snooze", queue.snooze),
    _on("/queue/{item}/unsnooze", queue.unsnooze),
    _on("/queue/{item}/reopen", queue.reopen),
    _on("/queue/{item}/verdict", queue.judge),
    _on("/queue/{item}/labels", queue.correct),
    _post("/queue/{item}/notes", queue.note, status=_MADE),
    _get("/queue/{item}/drafts", answers.list_),
    _post("/queue/{item}/drafts", answers.write, status=_MADE),
    _get("/drafts/{draft}", answers.get),
    _on("/drafts/{draft}", answers.edit, method="PUT"),
    _on("/drafts/{draft}/propose", answers.propose),
    _on("/drafts/{draft}/approve", answers.approve, EDIT),
    _on("/drafts/{draft}/drop", answers.drop),
    _on("/drafts/{draft}/publish", answers.publish),
    _get("/templates", answers.templates),
    _post("/templates", answers.keep_template, EDIT, status=_MADE),
    _get("/templates/{template}", answers.template),
    _on("/templates/{template}", answers.edit_template, EDIT, method="PUT"),
    _gone("/templates/{template}", answers.remove_template, EDIT),
    _post("/undo/{deed}", timelines.undo),
    _get("/search", mentions.search_),
    _get("/search/counts", mentions.counts),
    _file("/search/export", mentions.export_search),
    _get("/mentions/{mention}", mentions.get),
    _opened("/mentions/{mention}/original", mentions.original),
    _get("/silences", silences.list_),
    _post("/silences", silences.add, status=_MADE),
    _post("/silences/preview", silences.preview),
    _get("/silences/{silence}", silences.get),
    _on("/silences/{silence}/expire", silences.expire),
    _get("/sources", sources.list_),
    _get("/rules", rules.list_),
    _get("/rules/files/{file}", rules.file),
    _get("/rules/{rule}", rules.get),
    _post("/rules/{rule}/test", rules.test, EDIT),
    _get("/on-call", oncall.list_),
    _get("/on-call/policies", oncall.policies),
    _post("/on-call/preview", oncall.preview),
    _post("/on-call/overrides", oncall.replace, status=_MADE),
    _delete("/on-call/overrides/{override}", oncall.hand_back, ACT),
    _post("/on-call/swaps", oncall.swap, status=_MADE),
    _post("/on-call/swaps/preview", oncall.preview_swap),
    _get("/ledger", ledger.unanswered),
    _get("/ledger/decided", ledger.decided),
    _get("/audit", audit.list_, AUDIT),
    _get("/audit/chain", audit.chain, AUDIT),
    _lines("/audit/export", audit.export_audit, AUDIT),
    _get("/me", people.me),
    _put("/me/language", account.speak, READ),
    _get("/sessions", account.list_sessions),
    _post("/sessions/end", account.end_sessions),
    _delete("/sessions/{session}", account.end_session, ACT),
    _get("/devices", account.list_devices),
    _post("/devices/{device}/try", account.try_device, status=202),
    _delete("/devices/{device}", account.remove_device, ACT),
    _get("/calls", people.list_calls),
    _get("/views", views.list_),
    _get("/views/counts", queue.counts),
    _post("/views", views.add, READ, status=_MADE),
    _get("/views/{view}", views.get),
    _on("/views/{view}", views.change, READ, method="PUT"),
    _gone("/views/{view}", views.remove, READ),
    _get("/tokens", tokens.list_),
    _post("/tokens", tokens.add, READ, status=_MADE),
    _delete("/tokens/{token}", tokens.revoke, READ),
    _get("/users", people.list_users, ADMIN),
    _post("/users", people.add_user, ADMIN, status=_MADE),
    _post("/users/{name}/role", people.set_role, ADMIN),
    _post("/users/{name}/password", people.reset_user, ADMIN),
    _post("/users/{name}/disable", people.disable_user, ADMIN),
    _post("/users/{name}/enable", people.enable_user, ADMIN),
    _post("/users/{name}/factor", people.reset_factor, ADMIN),
    _post("/users/{name}/revoke", people.revoke_user, ADMIN),
    _post("/users/{name}/invite", people.invite_user, ADMIN),
    _post("/users/{name}/unlink", people.unlink_user, ADMIN),
)
"""In the order of the document."""
