"""The API does everything the screens do: each route of a page has its operations, or a reason."""

from __future__ import annotations

import ast
import inspect

from veille.web import people_page
from veille.web.api.about import ALL
from veille.web.app import ROUTES
from veille.web.forms import ON_INCIDENT, ON_ITEM

OF_ONE_BROWSER = "it is of one browser: its cookie, its look, its files"
IN_PERSON = "who one is is shown by a person at a browser, never by a program that holds a token"
MACHINES = "another contract, for machines: docs/api.md is not it"
MOVES = "operations tell nothing by themselves: read again with If-None-Match"
OTHERWISE: dict[str, str] = {
    "GET /live": MOVES,
    "GET /more": OF_ONE_BROWSER, "GET /help/keys": OF_ONE_BROWSER,
    "POST /preferences": OF_ONE_BROWSER, "POST /account/offline": OF_ONE_BROWSER,
    "POST /account/push/add": OF_ONE_BROWSER,
    "GET /static/{name}": OF_ONE_BROWSER, "GET /manifest.webmanifest": OF_ONE_BROWSER,
    "GET /sw.js": OF_ONE_BROWSER, "GET /offline": OF_ONE_BROWSER,
    "GET /accessibility": "a text for people, the same for everybody",
    "POST /account/password": IN_PERSON,
    "GET /account/factor": IN_PERSON, "POST /account/factor/propose": IN_PERSON,
    "POST /account/factor/confirm": IN_PERSON, "POST /account/factor/renew": IN_PERSON,
    "POST /account/factor/remove": IN_PERSON,
    "GET /login": IN_PERSON, "POST /login": IN_PERSON, "GET /login/code": IN_PERSON,
    "POST /login/code": IN_PERSON, "GET /login/provider": IN_PERSON,
    "GET /login/provider/back": IN_PERSON, "GET /login/provider/out": IN_PERSON,
    "GET /invitations/{token}": IN_PERSON, "POST /logout": IN_PERSON,
    "GET /l/{token}": IN_PERSON, "POST /l/{token}": IN_PERSON,
    "POST /hooks/{source}": MACHINES, "POST /slack/actions": MACHINES,
    "POST /slack/commands": MACHINES, "GET /livez": MACHINES, "GET /readyz": MACHINES,
    "GET /metrics": MACHINES,
}  # fmt: skip
OPERATIONS: dict[str, str] = {
    "GET /": "now_now incidents_list queue_list sources_list incidents_get",
    "GET /incidents/{id}": "incidents_get incidents_mentions incidents_timeline reasons_story"
    " reasons_of_incident now_present silences_preview now_look",
    "GET /queue": "queue_list queue_counts views_list people_list_calls",
    "POST /queue/bulk": "queue_bulk",
    "POST /queue/bulk/preview": "queue_preview",
    "POST /undo/{id}": "timelines_undo",
    "POST /queue/templates/keep": "answers_keep_template",
    "POST /queue/templates/remove": "answers_remove_template",
    "POST /queue/views/add": "views_add",
    "POST /queue/views/{id}/remove": "views_remove",
    "POST /presence/{id}": "now_be now_present",
    "GET /live/gone": "mentions_get",
    "GET /queue/export": "queue_export_queue",
    "GET /queue/{id}": "queue_get queue_timeline answers_list answers_templates mentions_get"
    " now_present now_look",
    "GET /queue/{id}/why": "reasons_of_item",
    "GET /queue/{id}/whynot": "reasons_whynot",
    "POST /mentions/{key}/original": "mentions_original",
    "GET /search": "mentions_search mentions_counts",
    "GET /search/export": "mentions_export_search",
    "POST /search/queue": "mentions_queue",
    "GET /ledger": "ledger_unanswered ledger_decided",
    "GET /sources": "sources_list",
    "GET /rules": "rules_list",
    "GET /rules/files/{name}": "rules_file",
    "GET /rules/{id}": "rules_get",
    "POST /rules/{id}/test": "rules_test",
    "GET /silences": "silences_list silences_get",
    "POST /silences/preview": "silences_preview",
    "POST /silences/add": "silences_add",
    "POST /silences/expire": "silences_expire",
    "GET /on-call": "oncall_list oncall_policies",
    "POST /on-call/preview": "oncall_preview oncall_preview_swap",
    "POST /on-call/change": "oncall_replace oncall_swap",
    "POST /on-call/withdraw": "oncall_hand_back",
    "GET /audit": "audit_list audit_chain",
    "GET /audit/export": "audit_export_audit",
    "GET /account": "people_me account_list_sessions account_list_devices tokens_list",
    "POST /account/revoke": "account_end_session account_end_sessions",
    "POST /account/language": "account_speak",
    "GET /account/tokens": "tokens_list",
    "POST /account/tokens/add": "tokens_add",
    "POST /account/tokens/revoke": "tokens_revoke",
    "POST /account/push/try": "account_try_device",
    "POST /account/push/remove": "account_remove_device",
    "GET /users": "people_list_users",
}
VERBS: dict[str, dict[str, str]] = {
    "POST /incidents/{id}/{verb}": {
        "take": "incidents_take", "assign": "incidents_assign", "note": "incidents_note",
        "resolve": "incidents_resolve", "judge": "incidents_judge", "silence": "silences_add",
        "reopen": "incidents_reopen", "merge": "incidents_merge", "split": "incidents_split",
    },
    "POST /queue/{id}/{verb}": {
        "take": "queue_take", "assign": "queue_assign", "note": "queue_note", "move": "queue_move",
        "correct": "queue_correct", "judge": "queue_judge", "release": "queue_release",
        "snooze": "queue_snooze", "unsnooze": "queue_unsnooze", "reopen": "queue_reopen",
        "draft": "answers_write answers_edit", "propose": "answers_propose",
        "approve": "answers_approve", "drop": "answers_drop", "publish": "answers_publish",
    },
    "POST /users/{verb}": {
        "add": "people_add_user", "role": "people_set_role", "reset": "people_reset_user",
        "disable": "people_disable_user", "enable": "people_enable_user",
        "factor": "people_reset_factor", "revoke": "people_revoke_user",
        "invite": "people_invite_user", "unlink": "people_unlink_user",
    },
}  # fmt: skip


def _verbs_of_people() -> set[str]:
    """Return the verbs that the page of accounts knows, wherever it keeps them."""
    tree = ast.parse(inspect.getsource(people_page))
    tables = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "_VERBS"
    ]
    assert len(tables) == 1
    assert isinstance(tables[0], ast.Dict)
    return {key.value for key in tables[0].keys if isinstance(key, ast.Constant)}


def test_each_screen_has_its_operations_or_a_reason() -> None:
    known = {**OTHERWISE, **OPERATIONS, **VERBS}
    assert len(known) == len(OTHERWISE) + len(OPERATIONS) + len(VERBS)
    assert {f"{method} {path}" for method, path, _, _ in ROUTES} == set(known)


def test_each_verb_of_a_form_has_its_operation() -> None:
    forms = {
        "POST /incidents/{id}/{verb}": set(ON_INCIDENT),
        "POST /queue/{id}/{verb}": set(ON_ITEM),
        "POST /users/{verb}": _verbs_of_people(),
    }
    assert forms == {path: set(verbs) for path, verbs in VERBS.items()}


def test_each_operation_named_exists_and_serves_a_screen() -> None:
    named = {name for said in OPERATIONS.values() for name in said.split()}
    named |= {name for verbs in VERBS.values() for said in verbs.values() for name in said.split()}
    # of the API itself; one thing by its number; what pages do by removing and adding
    alone = {"about_list_problems", "answers_get", "answers_template", "answers_edit_template",
             "views_get", "views_change"}  # fmt: skip
    assert named | alone == {each.name for each in ALL}
