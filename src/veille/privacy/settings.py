"""The `[privacy]` section of config.toml."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from veille.domain.durations import parse_duration
from veille.domain.errors import ConfigError, InputError
from veille.domain.mention import IdentifierKind
from veille.privacy.mask import REPLACEMENTS, mask

_KEEPABLE = {REPLACEMENTS[IdentifierKind.PHONE], REPLACEMENTS[IdentifierKind.EMAIL]}


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long mentions are kept, by what became of them."""

    unmatched: str = "0d"
    neutral: str = "30d"
    flagged: str = "180d"
    incident: str = "365d"

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _duration(f"privacy.retention.{name}", getattr(self, name))

    def durations(self) -> dict[str, timedelta]:
        """Return the durations by class: unmatched, neutral, flagged, incident."""
        return {name: parse_duration(getattr(self, name)) for name in self.__struct_fields__}


class PrivacySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is masked, hashed and kept. Raises ConfigError for a wrong duration or `keep` value.

    `key` names a secret; `keep` lists the institution's own phones and e-mails, left in clear;
    `originals` is how long the unmasked text of an urgent mention stays sealed (0h: until the next
    sweep). `legal_basis` and `purposes` stand in what a person is given who asks what is held.
    """

    key: str = "PSEUDONYM_KEY"
    retention: Retention = msgspec.field(default_factory=Retention)
    keep: list[str] = []
    originals: str = "72h"
    legal_basis: str = "mission d'intérêt public (RGPD, art. 6, 1, e)"
    purposes: tuple[str, ...] = (
        "repérer les urgences et les crises dont parlent les habitants",
        "répondre aux questions et aux plaintes adressées à l'institution",
    )

    def __post_init__(self) -> None:
        _duration("privacy.originals", self.originals)
        for value in self.keep:
            if mask(value.strip()).text not in _KEEPABLE:
                raise ConfigError(
                    f'privacy.keep: "{value}" would not be masked as one phone number or e-mail:'
                    " write one a line, and leave out short and 08 numbers"
                )

    def originals_for(self) -> timedelta:
        """Return how long sealed originals are kept."""
        return parse_duration(self.originals)

    def kept(self) -> frozenset[str]:
        """Return `keep` as `Protector` takes it."""
        return frozenset(self.keep)


def _duration(name: str, text: str) -> None:
    try:
        parse_duration(text)
    except InputError as error:
        raise ConfigError(f"{name}: {error}") from error
