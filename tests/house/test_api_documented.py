"""docs/api.md names every operation, and its examples work."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from veille.alerts.settings import RouteSettings
from veille.domain.access import Role
from veille.pipeline.actions import Actions
from veille.store import tokens
from veille.store.engine import SqliteStore
from veille.web.api.about import ALL
from veille.web.api.operation import PREFIX
from veille.web.app import build
from veille.web.server import listen
from veille.web.settings import WebSettings
from veille.web.tokens import SCOPES, new_token, scopes_of, token_hash

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TABLE = [
    f"| `{each.method} {PREFIX}{each.path}` | {each.access.value} | {each.summary} |"
    for each in ALL
]


def test_every_operation_is_in_the_table_of_the_page() -> None:
    written = PAGE.partition("<!-- operations -->\n")[2].partition("<!-- end -->")[0]
    assert written == "\n".join(TABLE) + "\n"


def _town() -> Any:  # the fixtures of tests/web, which importmode=importlib gives no name
    spec = importlib.util.spec_from_file_location("a_town", ROOT / "tests" / "web" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl")
async def test_the_examples_of_the_page_work(tmp_path: Path) -> None:
    town, token = _town(), new_token()
    clock = town.Clock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            SqliteStore(tmp_path / "veille.db", is_durable=False, group_commit=timedelta(0))
        )
        await store.write(town.staff)
        await store.write(town.flood)
        granted = scopes_of([each.value for each in SCOPES], role=Role.ADMIN)
        await store.write(
            lambda db: tokens.add(
                db, user="Sacha", name="docs", token_hash=token_hash(token), scopes=granted,
                now=clock.now, expires_at=clock.now + timedelta(days=1),
            )
        )  # fmt: skip
        app = build(
            store=store, settings=WebSettings(), institution="Saint-Aubin",
            timezone=ZoneInfo("Europe/Paris"), language="fr",
            actions=Actions(store, route=RouteSettings(), now=clock), intake=town.Door(),
            health=town.Pulse(), originals=town.Vault(), now=clock,
        )  # fmt: skip
        address = await listen(app, "127.0.0.1:0", stack)
        script = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; echo; }\n'
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", script + "\n".join(EXAMPLES),
            env={**os.environ, "VEILLE": address, "TOKEN": token},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert '"name":"Sacha"' in said.decode()
    assert '"undo":' in said.decode()
