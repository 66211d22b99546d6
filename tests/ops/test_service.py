"""Secrets as systemd passes them, and an end that says where and not what."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import structlog

from veille.app import operations
from veille.config import read_secrets
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError, StoreError, VeilleError
from veille.pipeline.runner import Runner


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_credential_named_as_the_secrets_file_stands_for_it(
    tmp_path: Path, credentials: Path
) -> None:
    original = tmp_path / "secrets.toml"
    original.write_text('SLACK_TOKEN = "old"\n')
    original.chmod(0o600)
    (credentials / "secrets.toml").write_text('SLACK_TOKEN = "a"\nHOOK = "b"\n')
    (credentials / "secrets.toml").chmod(0o440)  # systemd's, not ours to judge
    (credentials / "HOOK").write_text("c\n")
    secrets = read_secrets(original)
    assert (secrets("SLACK_TOKEN"), secrets("HOOK")) == ("a", "c")
    assert "secrets.toml" not in secrets


def test_a_credential_that_is_no_toml_is_refused_without_its_words(
    tmp_path: Path, credentials: Path
) -> None:
    (credentials / "secrets.toml").write_text("SLACK_TOKEN = xoxb-unquoted\n")
    with pytest.raises(ConfigError) as caught:
        read_secrets(tmp_path / "secrets.toml")
    assert "this is not TOML" in str(caught.value)
    assert "xoxb" not in str(caught.value)


class Broken:
    """A stage with a bug, or a store that refuses."""

    name = "analyze"

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def step(self, now: datetime) -> bool:
        raise self._error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ValueError("Zébulon appelle le 06 39 98 12 34"), None),
        (StoreError("/var/lib/veille/veille.db: the disk is full"), "the disk is full"),
    ],
)
async def test_what_ends_the_daemon_is_logged_by_type_and_place(
    error: Exception, cause: str | None
) -> None:
    runner = Runner(now=utc_now)
    runner.add(Broken(error), tick_s=1.0)
    with structlog.testing.capture_logs() as logs, pytest.raises(VeilleError) as caught:
        await operations.run(runner)
    (line,) = logs
    assert line["event"] == "stage_failed"
    assert line["error"] == type(error).__name__
    assert any(frame.startswith("step:") for frame in line["at"])
    assert (cause or "None") in str(line["cause"])
    assert "bulon" not in f"{line}{caught.value}"
    assert caught.value.__cause__ is None
