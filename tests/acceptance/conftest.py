"""A town hall with everything it listens to and everybody it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from servers.town import CONFIG, SECRET, Daemon, FeedServer, World, free_port
from veille.demo.mail import MailStandIn
from veille.demo.slack import SlackStandIn


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test starts the real program, often more than once."""
    for item in items:
        if "acceptance" in item.path.parts:
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(FeedServer())
        slack = await stack.enter_async_context(SlackStandIn())
        mail = await stack.enter_async_context(MailStandIn())
        port = free_port()
        text = CONFIG.format(feed=feed.url, slack=slack.url, smtp=mail.port, port=port)
        (tmp_path / "config.toml").write_text(text)
        (tmp_path / "mentions.jsonl").touch()
        hidden = tmp_path / "secrets.toml"
        hidden.touch(mode=0o600)
        hidden.write_text(
            f'PSEUDONYM_KEY = "a key of the acceptance tests"\nHOOK = "{SECRET}"\n'
            f'SLACK_TOKEN = "{slack.token}"\n'
        )
        daemon = Daemon(tmp_path, port)
        yield World(daemon=daemon, feed=feed, slack=slack, mail=mail)
        if daemon.process is not None and daemon.process.returncode is None:
            await daemon.kill()
