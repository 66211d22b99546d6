"""What an administrator may set about the models."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[models]` table: where the models are, which one runs, on how many threads."""

    directory: str | None = None
    calibration: str | None = None
    profile: Literal["default", "fast"] = "default"
    topics: str | None = None
    encoder: str | None = None
    encoder_labels: tuple[Literal["negative", "neutral", "positive"], ...] = ()
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
