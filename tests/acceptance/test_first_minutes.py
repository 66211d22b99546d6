"""From an empty folder to a daemon that listens, by the commands a newcomer types."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

from click.testing import CliRunner

from servers.plain import plain
from servers.town import VEILLE, Daemon, FeedServer, free_port
from veille.cli.root import root
from veille.store import mentions

CALL = "Au secours, l'eau monte à Saint-Aubin, appelez-moi au 06 39 98 12 34"


async def _veille(folder: Path, *args: str, typed: str | None = None) -> tuple[int, str, str]:
    done = await asyncio.to_thread(
        subprocess.run,
        [str(VEILLE), *args],
        capture_output=True,
        text=True,
        cwd=folder,
        input=typed or "",
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


async def test_a_newcomer_is_listening_in_four_commands(tmp_path: Path) -> None:
    port = free_port()
    async with FeedServer() as feed:
        feed.items += ["la piscine rouvre au village voisin", CALL]
        code, out, error = await _veille(
            tmp_path,
            "init",
            "--no-input",
            "--name=Ville de Saint-Aubin",
            "--territory=99001",
            f"--feed={feed.url}",
            "--allow-private",
            f"--listen=127.0.0.1:{port}",
        )
        assert (code, error) == (0, "")
        assert "veille check" in out
        code, out, error = await _veille(tmp_path, "check")
        assert (code, error) == (0, "")
        assert "1 watch, 1 source, " in out
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        code, out, error = await _veille(tmp_path, "try", feed.url)
        assert (code, error) == (0, "")
        shown = " ".join(out.split())
        assert "06 39 98 12 34" in shown
        assert "[téléphone masqué]" in shown
        assert "urgent_mention : alerte ◆ Attention, mis dans la file" in plain(out)
        assert "aucune : ce texte ne serait pas gardé" in plain(out)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        daemon = Daemon(tmp_path, port)
        await daemon.start()
        async with asyncio.timeout(60), daemon.store() as store:
            while not await store.read(mentions.counts):
                await asyncio.sleep(0.1)
        code, out, _ = await _veille(tmp_path, "doctor", "--json")
        found = {(c["area"], c["state"]) for c in json.loads(out)["checks"]}
        assert code == json.loads(out)["problems"] == 0, out
        assert ("daemon", "fine") in found
        assert ("source", "fine") in found
        assert await daemon.stop() == 0
        log = daemon.errors()
    assert "39 98" not in log
    assert "Lavoir" not in log


async def test_questions_are_answered_in_order_and_repeated_when_wrong(tmp_path: Path) -> None:
    answers = [
        "Ville de Saint-Aubin", "", "ici", "30007 30334",
        "pas une adresse", "https://presse.example/flux.xml", "",
        "C0123456789", "xoxb-jeton", "", "n", "Camille",
    ]  # fmt: skip
    code, out, error = await _veille(tmp_path, "init", typed="\n".join([*answers, ""]))
    assert code == 0, error
    assert "write https://" in error
    assert "Camille" in out
    assert "xoxb-jeton" not in out + error
    assert 'territory = ["30007", "30334"]' in (tmp_path / "config.toml").read_text()
    assert 'query = "\\"Saint-Aubin\\""' in (tmp_path / "config.toml").read_text()
    assert 'SLACK_TOKEN = "xoxb-jeton"' in (tmp_path / "secrets.toml").read_text()


def test_refusals_name_the_option_and_write_nothing(tmp_path: Path) -> None:
    token, town = tmp_path / "token", tmp_path / "town"
    token.write_text("xoxb-1\n")
    name = "--name=Ville de Saint-Aubin"
    cases = {
        (): "--name is missing",
        (name, "--query=("): "--query: ",
        (name, "--feed=ftp://x"): "--feed: ",
        (name, f"--slack-token-file={token}"): "--slack-channel is missing",
        (name, "--slack-channel=C0123456789"): "--slack-token-file is missing",
        (name, "--slack-channel=a b", f"--slack-token-file={token}"): "--slack-channel: ",
        (name, "--slack-token-file=nowhere"): "nowhere: cannot be read",
        (name, "--mail-to=a@b.example"): "--mail-host is missing",
        (name, "--mail-host=h.example"): "--mail-sender is missing",
        (name, "--mail-host=h.example", "--mail-sender=x", "--mail-to=y"): "is no mail address",
    }
    for args, told in cases.items():
        done = CliRunner().invoke(root, ["init", "--no-input", f"--dir={town}", *args])
        assert (done.exit_code, told in done.stderr) == (2, True), (args, done.stderr)
    done = CliRunner().invoke(root, ["init", f"--dir={town}"], input="Ville\n")
    assert (done.exit_code, "--no-input" in done.stderr) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"token"}


async def test_a_source_is_added_once_it_answered(tmp_path: Path) -> None:
    code, _, error = await _veille(tmp_path, "init", "--no-input", "--name=Saint-Aubin")
    assert code == 0, error
    before = (tmp_path / "config.toml").read_text()
    async with FeedServer() as feed:
        feed.items.append("Saint-Aubin")
        add = ("add", "source", "rss", "--no-input", f"--set=url={feed.url}")
        code, out, error = await _veille(tmp_path, *add)
        assert (code, "allow_private" in error) == (1, True)
        assert (tmp_path / "config.toml").read_text() == before
        code, out, error = await _veille(tmp_path, *add, "--set=allow_private=true")
        assert (code, error) == (0, "")
    assert f'+url = "{feed.url}"' in out
    assert (tmp_path / "config.toml").read_text().startswith(before)
    code, _, error = await _veille(tmp_path, "add", "source", "webhook", "--no-input")
    assert (code, error) == (0, "")
    code, out, _ = await _veille(tmp_path, "try", "webhook")
    assert (code, "webhook-signature" in out) == (0, True)
    assert (await _veille(tmp_path, "schema"))[0] == 0
