"""The inbound webhook as a sender sees it: what is taken, what is refused, when to come back."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from veille.domain.errors import IntakeRefused, StoreError

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
MIB = 1024 * 1024


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    """The answer is an RFC 9457 problem of this status; return it."""
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem: dict[str, Any] = json.loads(answer.text)
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    return problem


async def send(browser: Browser, body: bytes | io.BytesIO = b"[]", **options: object) -> Any:
    return await browser.ask("POST", "/hooks/presse", data=body, **options)


async def test_the_intake_gets_the_raw_body_and_its_answer_is_a_202(
    town: Town, stranger: Browser
) -> None:
    body = '{"b": 1, "a":  "é"}\r\n'.encode()
    headers = {"Webhook-Id": "m1", "Sec-Fetch-Site": "cross-site", "Origin": "https://x.example"}
    answer = await send(stranger, body, headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (202, "application/json")
    assert json.loads(answer.text) == {"accepted": 1, "rejected": []}
    assert town.door.bodies == [("presse", "m1", body)]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("status", [401, 404, 409, 413, 503])
async def test_a_refusal_is_a_problem_with_its_status_and_reason(
    town: Town, stranger: Browser, status: int
) -> None:
    town.door.refusal = IntakeRefused("the reason, in words", status=status)
    answer = await send(stranger)
    assert assert_problem(answer, status)["detail"] == "the reason, in words"
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(("wait", "said"), [(30, "30"), (0.2, "1"), (2.6, "3")])
async def test_a_sender_hears_in_whole_seconds_when_to_come_back(
    town: Town, stranger: Browser, wait: float, said: str
) -> None:
    town.door.refusal = IntakeRefused("the backlog is full", status=503, retry_after_s=wait)
    answer = await send(stranger)
    assert_problem(answer, 503)
    assert answer.headers["Retry-After"] == said


async def test_a_store_that_fails_is_a_503_to_be_tried_again(town: Town, stranger: Browser) -> None:
    town.door.refusal = StoreError("database is locked: /var/lib/veille/veille.db")
    answer = await send(stranger)
    problem = assert_problem(answer, 503)
    assert answer.headers["Retry-After"] == "5"
    assert "locked" not in problem["detail"]


async def test_an_intake_that_breaks_is_a_500_with_an_id_only(
    town: Town, stranger: Browser
) -> None:
    town.door.refusal = RuntimeError("secret detail")
    problem = assert_problem(await send(stranger), 500)
    assert problem["detail"].startswith("error ")
    assert "secret" not in json.dumps(problem)


async def test_get_is_no_way_to_push(town: Town, stranger: Browser) -> None:
    answer = await stranger.get("/hooks/presse")
    assert_problem(answer, 405)
    assert answer.headers["Allow"] == "POST"


async def test_an_encoded_body_is_refused_since_its_signature_could_not_be_checked(
    town: Town, stranger: Browser
) -> None:
    assert_problem(await send(stranger, headers={"Content-Encoding": "gzip"}), 415)
    assert town.door.bodies == []


async def test_a_body_of_exactly_4_mib_is_taken(town: Town, stranger: Browser) -> None:
    answer = await send(stranger, io.BytesIO(b"x" * (4 * MIB)))
    assert answer.status == 202
    assert len(town.door.bodies[0][2]) == 4 * MIB


async def test_a_body_announced_over_4_mib_is_refused_before_it_is_read(town: Town) -> None:
    head = f"POST /hooks/presse HTTP/1.1\r\nHost: x\r\nContent-Length: {5 * MIB}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(town.url).port)
    try:
        writer.write(head.encode() + b"only this much")
        async with asyncio.timeout(5):
            first = await reader.readline()
    finally:
        writer.close()
    assert b" 413 " in first
    assert town.door.bodies == []


async def test_a_body_that_never_ends_is_refused_after_4_mib(town: Town, stranger: Browser) -> None:
    sent = 0
    answered = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while not answered.is_set():
            sent += 64 * 1024
            yield b"x" * (64 * 1024)
            if sent > 4 * MIB:  # from here on only the answer can end it
                await asyncio.wait_for(answered.wait(), 10)

    async def post() -> None:
        url = town.url + "/hooks/presse"
        async with stranger.session.post(url, data=endless()) as answer:
            assert answer.status == 413
            assert answer.headers["Content-Type"].startswith("application/problem+json")
        answered.set()

    async with asyncio.timeout(15):
        await post()
    assert town.door.bodies == []
    assert sent <= 5 * MIB
