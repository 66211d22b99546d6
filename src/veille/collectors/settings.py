"""The settings of any source, as `[[source]]` of config.toml says them; `kind` tells them apart."""

from __future__ import annotations

from veille.collectors.base import (
    BlueskySource,
    FeedSource,
    FileSource,
    MastodonSource,
    MqttSource,
    WebhookSource,
)

SourceSettings = (
    FileSource | FeedSource | WebhookSource | MqttSource | BlueskySource | MastodonSource
)
KINDS = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        FileSource, FeedSource, WebhookSource, MqttSource, BlueskySource, MastodonSource,
    )
)  # fmt: skip
"""What `kind` may be."""


def kind_of(source: SourceSettings) -> str:
    """Return what stands as its `kind`."""
    return str(source.__struct_config__.tag)
