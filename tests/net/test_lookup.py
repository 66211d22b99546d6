"""Names: a lookup that hangs holds up nobody else, and no stop."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from veille.net.guard import check_host
from veille.net.lookup import SystemResolver, look_up

DEAD = (os.cpu_count() or 1) + 40
"""More than the threads of a loop's executor (at most 32)."""


class Dns:
    """A resolver that does not answer before it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = Event()

    def getaddrinfo(self, host: str, port: int, **_: object) -> list[Any]:
        self.asked.append(host)
        self.may_answer.wait(10.0)
        if host == "nowhere.example":
            raise socket.gaierror(-2, "Name or service not known")
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, kind, 6, "", ("fe80::1", port, 0, 2)),
            (socket.AF_INET, kind, 6, "", ("192.0.2.7", port)),
            (socket.AF_INET, kind, 6, "", ("192.0.2.7", port)),
        ]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dns]:
    made = Dns()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.may_answer.set()


async def test_dead_names_leave_the_threads_of_others_alone(dns: Dns) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(DEAD):
            group.create_task(_give_up(f"dead{number}.example"))
        async with asyncio.timeout(5.0):
            while len(dns.asked) < DEAD:
                await asyncio.sleep(0.01)
            assert await asyncio.to_thread(lambda: "at work") == "at work"


async def _give_up(host: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await SystemResolver().resolve(host, 443)


async def test_who_gives_up_takes_the_answer_from_nobody(dns: Dns) -> None:
    async with asyncio.TaskGroup() as group:
        patient = group.create_task(SystemResolver().resolve("slow.example", 443))
        hasty = group.create_task(_give_up("slow.example"))
        await hasty
        dns.may_answer.set()
    found = patient.result()
    assert [(one["host"], one["port"]) for one in found] == [("fe80::1%2", 443), ("192.0.2.7", 443)]
    assert dns.asked == ["slow.example"]


async def test_an_unknown_name_is_an_error_for_each_who_asks(dns: Dns) -> None:
    dns.may_answer.set()
    for _ in range(2):
        with pytest.raises(OSError, match="not known"):
            await look_up("nowhere.example", 443)
    assert dns.asked == ["nowhere.example"] * 2


async def test_hosts_of_mail_and_brokers_are_looked_up_the_same_way(dns: Dns) -> None:
    dns.may_answer.set()
    found = await check_host("mail.example", 25, allow_private=True)
    assert found == ("fe80::1%2", "192.0.2.7")


def test_a_process_ends_while_a_name_is_looked_up() -> None:
    program = """
import asyncio, socket, time
socket.getaddrinfo = lambda *_, **__: time.sleep(60)
from veille.net.client import Client
from veille.domain.errors import SourceError
from datetime import timedelta
async def main():
    async with Client(time_limit=timedelta(seconds=0.2)) as client:
        try:
            await client.get("http://dead.example/")
        except SourceError as error:
            print(error)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], timeout=15.0, capture_output=True, text=True, check=True
    )
    assert "dead.example: no complete answer" in done.stdout
    assert done.stderr == ""
