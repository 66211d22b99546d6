"""Logs are one JSON object a line, and say nothing that a library quotes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

PROGRAM = """
import asyncio, logging, structlog, warnings
from veille.telemetry import configure_logs
configure_logs(level="{level}")
configure_logs(level="{level}")
structlog.get_logger().debug("quiet")
structlog.get_logger().info("started", name="é\\n{{")
try:
    raise ValueError("Zébulon 06 39 98 12 34")
except ValueError:
    logging.getLogger("aiohttp.client").exception("POST /x?token=s3cret failed")
logging.getLogger("slack_sdk").debug("Zébulon")
warnings.warn("Zébulon", ResourceWarning, stacklevel=1)
async def forgotten():
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("Zébulon"))
asyncio.run(forgotten())
"""


def _lines(level: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", PROGRAM.format(level=level)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert "bulon" not in done.stderr
    assert "s3cret" not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_json_and_what_libraries_quote_is_left_out() -> None:
    lines = _lines("info")
    assert [line["event"] for line in lines][:2] == ["started", "library"]
    library = [line for line in lines if line["event"] == "library"]
    assert {line["name"] for line in library} == {"aiohttp.client", "py.warnings", "asyncio"}
    assert {line["error"] for line in library} == {"ValueError", None}


def test_debug_says_more_and_still_no_texts() -> None:
    assert _lines("debug")[0]["event"] == "quiet"


def test_a_library_is_heard_once_however_often_logs_are_configured() -> None:
    assert sum(line.get("name") == "aiohttp.client" for line in _lines("error")) == 0
    assert sum(line.get("name") == "aiohttp.client" for line in _lines("warning")) == 1
    assert logging.getLogger().level == logging.WARNING
