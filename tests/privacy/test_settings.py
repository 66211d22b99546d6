"""The [privacy] section: defaults that keep little, and errors that name the setting."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from veille.domain.errors import ConfigError
from veille.privacy.settings import PrivacySettings


def read(**section: object) -> PrivacySettings:
    return msgspec.convert(section, PrivacySettings)


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = read()
    assert settings.key == "PSEUDONYM_KEY"
    assert settings.originals_for() == timedelta(hours=72)
    assert settings.kept() == frozenset()
    assert settings.retention.durations() == {
        "unmatched": timedelta(0),
        "neutral": timedelta(days=30),
        "flagged": timedelta(days=180),
        "incident": timedelta(days=365),
    }


def test_one_duration_may_change_alone() -> None:
    settings = read(retention={"neutral": "7d"})
    assert settings.retention.durations()["neutral"] == timedelta(days=7)
    assert settings.retention.durations()["flagged"] == timedelta(days=180)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"originals": "3 days"}, "privacy.originals"),
        ({"retention": {"flagged": "1y"}}, "privacy.retention.flagged"),
        ({"keep": ["mairie"]}, "privacy.keep"),
        ({"keep": ["3114"]}, "privacy.keep"),
        ({"keep": ["0123456789 et 0612345678"]}, "privacy.keep"),
        ({"keep": ["FR76 3000 6000 0112 3456 7890 189"]}, "privacy.keep"),
    ],
)
def test_a_wrong_value_is_named(section: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read(**section)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="retain"):
        read(retain="30d")


def test_phones_and_emails_may_be_kept() -> None:
    keep = ["01 23 45 67 89", " contact@ville.example "]
    assert read(keep=keep).kept() == frozenset(keep)
