"""The `[rules]` table of config.toml."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from veille.domain.alert import Severity
from veille.domain.durations import parse_duration

_WAITS = {Severity.CRITICAL: "0s", Severity.WARNING: "30s", Severity.INFO: "5m"}


class RulesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where rules are read, and how long an incident gathers alerts before its first notification.

    `directory` None means the shipped rules. `group_wait` names only severities that differ from
    the defaults (0s critical, 30s warning, 5m info).
    """

    directory: str | None = None
    group_wait: dict[Severity, str] = msgspec.field(default_factory=lambda: dict(_WAITS))

    def waits(self) -> dict[Severity, timedelta]:
        """Return the wait of every severity; InputError for text that is no duration."""
        written = _WAITS | self.group_wait
        return {severity: parse_duration(text) for severity, text in written.items()}
