"""Forms that no page of ours sent: refused, never a failure."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog

# fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
Town = Any
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=nonsense", f"{FORM}; charset=utf-8"])
async def test_bytes_that_are_no_text_are_a_bad_request(
    town: Town, camille: Browser, kind: str
) -> None:
    headers = {"Content-Type": kind, "Sec-Fetch-Site": "same-origin"}
    answer = await camille.ask("POST", "/incidents/1/take", data=b"csrf=\xff\xfe", headers=headers)
    assert answer.status in {400, 403}
    assert "Rien n&#39;a changé" in answer.text


async def test_a_body_that_does_not_unpack_is_a_bad_request(town: Town, stranger: Browser) -> None:
    headers = {"Content-Type": FORM, "Content-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
    answer = await stranger.ask("POST", "/login", data=b"name=Camille", headers=headers)
    assert answer.status == 400


async def test_who_leaves_while_a_form_is_sent_is_no_fault_of_veille(
    town: Town, stranger: Browser
) -> None:
    head = f"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
    head += "Sec-Fetch-Site: same-origin\r\nContent-Length: 1000\r\n\r\nname="
    with structlog.testing.capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(town.url).port)
        writer.write(head.encode())
        await writer.drain()
        await stranger.get("/login")  # it reads by now
        writer.transport.abort()
        await stranger.get("/login")
    assert not [line for line in logs if line["event"] == "request_failed"]


async def test_a_body_that_is_no_form_has_no_token(town: Town, camille: Browser) -> None:
    headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    answer = await camille.ask("POST", "/incidents/1/take", data=b"{}", headers=headers)
    assert answer.status == 403


async def test_a_form_over_64_kib_is_too_long(town: Town, camille: Browser) -> None:
    answer = await camille.post("/incidents/1/note", {"text": "a" * 70_000})
    assert answer.status == 413
