"""A held connection: taken up again, said once, harming nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from veille.domain.errors import DeliveryError
from veille.pipeline.presence import Presence

NOW = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)


class Line:
    """A connection that can be cut."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.kept = 0

    async def keep(self) -> None:
        self.kept += 1
        if self.fault is not None:
            raise self.fault


@pytest.mark.parametrize(
    "fault", [DeliveryError("the broker is gone", may_retry=False), ValueError("a bug")]
)
async def test_a_lost_connection_is_tried_again_ever_more_slowly_and_said_once(
    fault: Exception,
) -> None:
    line = Line()
    presence = Presence(receiver="bus", keeper=line, jitter=lambda: 1.0)
    with capture_logs() as logs:
        assert not await presence.step(NOW)
        line.fault = fault
        for second in range(1, 120):
            assert not await presence.step(NOW + timedelta(seconds=second))
        tries = line.kept - 1
        line.fault = None
        await presence.step(NOW + timedelta(hours=1))
    assert tries == 7  # after 1, 2, 4, 8, 16, 32 and 60 seconds
    assert [entry["event"] for entry in logs] == ["status_lost", "status_back"]
