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
