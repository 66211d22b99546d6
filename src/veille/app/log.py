"""The transition log: what replay prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from veille.alerts.events import log_entry
from veille.store import timeline
from veille.store.engine import Db

PRINTED = (
    "alert.pending",
    "alert.firing",
    "alert.resolved",
    "incident.opened",
    "incident.updated",
    "incident.resolved",
)
KEYS = (
    "at",
    "type",
    "rule",
    "severity",
    "group",
    "alert",
    "incident",
    "evidence",
    "value",
    "threshold",
)
Entry = dict[str, Any]  # Any: the values of one JSON line


def entries(db: Db, names: Mapping[str, str]) -> list[Entry]:
    """Return every transition in order; `names` gives the `source:id` of a mention's key."""
    found = [log_entry(event) for event in timeline.log(db) if event.kind in PRINTED]
    return [
        {name: entry[name] for name in KEYS}
        | {"evidence": [names[key] for key in _keys(entry) if key in names]}
        for entry in found
    ]


def _keys(entry: dict[str, object]) -> list[str]:
    evidence = entry["evidence"]
    return evidence if isinstance(evidence, list) else []


def as_json(entry: Entry) -> str:
    """Return one transition as one line."""
    return msgspec.json.encode(entry).decode()


def as_sentence(entry: Entry, sources: Mapping[str, str]) -> str:
    """Return one transition for people, who call sources by these names."""
    group = " ".join(
        f"{name}={sources.get(value, value) if name == 'source' else value}"
        for name, value in entry["group"].items()
    )
    return (
        f"{entry['at']}  {entry['type']:<18} {entry['severity'] or '':<8} {entry['rule'] or ''} "
        f"{group}  {entry['value'] or ''}/{entry['threshold'] or ''} {entry['incident'] or ''}"
    )
