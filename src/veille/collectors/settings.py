"""The settings of any source, as `[[source]]` of config.toml says them; `kind` tells them apart."""

from __future__ import annotations

from veille.collectors.base import FeedSource, FileSource, WebhookSource

SourceSettings = FileSource | FeedSource | WebhookSource
