"""Source settings: strict, and told apart by kind."""

from __future__ import annotations

import msgspec
import pytest

from veille.collectors.base import FeedSource, FileSource, WebhookSource
from veille.collectors.settings import SourceSettings


def read(**fields: object) -> SourceSettings:
    return msgspec.convert({"id": "presse", **fields}, SourceSettings)


def test_kind_chooses_the_settings() -> None:
    assert read(kind="rss", url="https://x.example/") == FeedSource(
        id="presse", url="https://x.example/"
    )
    assert read(kind="file", path="m.jsonl", trusted=True) == FileSource(
        id="presse", path="m.jsonl", trusted=True
    )
    assert isinstance(read(kind="webhook", secret="NAME", watches=["a"]), WebhookSource)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "telepathy"},
        {"kind": "rss"},
        {"kind": "rss", "url": "file:///etc/passwd"},
        {"kind": "rss", "url": "https://x.example/", "poll": "5 min"},
        {"kind": "rss", "url": "https://x.example/", "poll": "0s"},
        {"kind": "rss", "url": "https://x.example/", "pol": "5m"},
        {"kind": "rss", "url": "https://x.example/", "limit_bytes": 5},
        {"kind": "file", "path": "x", "id": "../x"},
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(**fields)
