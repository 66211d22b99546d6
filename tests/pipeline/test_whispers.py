"""What one person alone is told: once or not at all, and never too many."""

from __future__ import annotations

from datetime import UTC, datetime

from veille.domain.errors import DeliveryError
from veille.pipeline.whispers import WAITING, Whispers

NOW = datetime(2026, 1, 18, 1, 0, tzinfo=UTC)


class Mouth:
    """Keeps what it tells, or fails as told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.fails = False

    async def whisper(self, *, channel: str, user: str, text: str) -> None:
        if self.fails:
            raise DeliveryError("gone")
        self.said.append((channel, user, text))


def offer(whispers: Whispers, text: str, *, receiver: str = "astreinte") -> bool:
    return whispers.offer(receiver=receiver, channel="C1", user="U1", text=text)


async def test_they_are_told_in_order_and_an_offer_wakes_the_stage() -> None:
    whispers, mouth, woken = Whispers(), Mouth(), []
    whispers.connect({"astreinte": mouth})
    whispers.wake = lambda: woken.append(1)
    assert offer(whispers, "un")
    assert offer(whispers, "deux")
    while await whispers.step(NOW):
        pass
    assert [text for _, _, text in mouth.said] == ["un", "deux"]
    assert len(woken) == 2


async def test_one_that_fails_is_dropped_and_the_next_one_told() -> None:
    whispers, mouth = Whispers(), Mouth()
    whispers.connect({"astreinte": mouth})
    offer(whispers, "un")
    mouth.fails = True
    assert await whispers.step(NOW)
    mouth.fails = False
    offer(whispers, "deux")
    assert await whispers.step(NOW)
    assert [text for _, _, text in mouth.said] == ["deux"]


async def test_what_nobody_can_tell_and_what_is_too_much_is_refused() -> None:
    whispers = Whispers()
    whispers.connect({"astreinte": Mouth()})
    assert not offer(whispers, "un", receiver="autre")
    assert [offer(whispers, str(n)) for n in range(WAITING + 1)] == [True] * WAITING + [False]
