"""What Slack says of a message before it takes it: Block Kit limits, and who would be pinged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Body = Mapping[str, Any]  # Any: JSON of Block Kit, as a client sent it

_TEXT_MAX = 40_000  # chat.postMessage, text
_BLOCKS_MAX = 50  # Block Kit reference, blocks in a message
_SECTION_MAX = 3_000  # section block, text
_HEADER_MAX = 150  # header block, text
_BUTTON_MAX = 75  # button, text
_URL_MAX = 3_000  # button, url
_VALUE_MAX = 2_000  # button, value
_ACTION_MAX = 255  # button, action_id
_CONFIRM_MAX = {"title": 100, "text": 300, "confirm": 30, "deny": 30}  # confirmation dialog
_BUTTONS_MAX = 25  # actions block, elements
_SPECIAL = re.compile(r"<([!@#][^<>]*)>")  # formatting reference: references to people
_REFERENCES = frozenset({"broadcast", "user", "usergroup", "channel"})


def find_fault(body: Body) -> str | None:
    """Return the error code Slack answers to this message, None if it takes it."""
    text, blocks = body.get("text", ""), body.get("blocks", [])
    if not isinstance(text, str) or not isinstance(blocks, list):
        return "invalid_arguments"
    if not text and not blocks:
        return "no_text"
    if len(text) > _TEXT_MAX:
        return "msg_too_long"
    if len(blocks) > _BLOCKS_MAX or not all(map(_is_block, blocks)):
        return "invalid_blocks"
    return None if _is_metadata(body.get("metadata")) else "invalid_metadata_format"


def find_pings(body: Body) -> list[str]:
    """Return the references to people, groups and channels that Slack would act on."""
    pings = _SPECIAL.findall(str(body.get("text", "")))
    for part in _parts(body.get("blocks", [])):
        if part.get("type") == "mrkdwn":
            pings += _SPECIAL.findall(str(part.get("text", "")))
        elif part.get("type") in _REFERENCES:
            pings.append(str(part["type"]))
    return pings


def _parts(value: object) -> Iterator[Body]:
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from _parts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _parts(child)


def _is_block(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    match block.get("type"):
        case "header":
            return _is_text(block.get("text"), _HEADER_MAX, kinds=("plain_text",))
        case "section":
            return _is_text(block.get("text"), _SECTION_MAX)
        case "context":
            return _are(block, lambda each: _is_text(each, _SECTION_MAX), limit=10)
        case "divider":
            return True
        case "actions":
            return _are(block, _is_button, limit=_BUTTONS_MAX)
        case "rich_text":
            return _are(block, _is_rich_part)
        case _:
            return False


def _are(block: Body, check: Any, *, limit: int = 1_000) -> bool:  # Any: a predicate of JSON
    elements = block.get("elements")
    return isinstance(elements, list) and 0 < len(elements) <= limit and all(map(check, elements))


def _is_text(
    text: object, limit: int, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> bool:
    if not isinstance(text, dict) or text.get("type") not in kinds:
        return False
    allowed = (
        {"type", "text", "emoji"} if text["type"] == "plain_text" else {"type", "text", "verbatim"}
    )
    content = text.get("text")
    return isinstance(content, str) and 0 < len(content) <= limit and text.keys() <= allowed


def _is_button(element: object) -> bool:
    if not isinstance(element, dict) or element.get("type") != "button":
        return False
    url = element.get("url", "https://")
    is_web = isinstance(url, str) and url.startswith(("http://", "https://"))
    return (
        is_web
        and len(url) <= _URL_MAX
        and len(str(element.get("value", ""))) <= _VALUE_MAX
        and len(str(element.get("action_id", ""))) <= _ACTION_MAX
        and element.get("style", "primary") in {"primary", "danger"}
        and _is_confirm(element.get("confirm"))
        and _is_text(element.get("text"), _BUTTON_MAX, kinds=("plain_text",))
    )


def _is_confirm(dialog: object) -> bool:
    if dialog is None:
        return True
    if not isinstance(dialog, dict) or dialog.keys() != _CONFIRM_MAX.keys():
        return False
    return all(
        _is_text(dialog[key], limit, kinds=("plain_text",)) for key, limit in _CONFIRM_MAX.items()
    )


def _is_rich_part(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    allowed = {"rich_text_section", "rich_text_quote"}
    return part.get("type") in allowed and _are(part, _is_rich_text)


def _is_rich_text(element: object) -> bool:
    if not isinstance(element, dict) or element.keys() - {"type", "text", "style"}:
        return False
    content = element.get("text")
    is_short = isinstance(content, str) and 0 < len(content) <= _SECTION_MAX
    return element.get("type") == "text" and is_short


def _is_metadata(metadata: object) -> bool:
    if metadata is None:
        return True
    return (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    )
