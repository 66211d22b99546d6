"""`veille try` shows what would be kept, and keeps nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from click.testing import CliRunner

from servers.plain import plain
from veille.app import channels, parts, sample
from veille.app.sample import Options, find_target, read, without_config
from veille.app.trial import Trial, attempt, push_example
from veille.cli.root import root
from veille.collectors.base import BlueskySource, FeedSource, MqttSource, WebhookSource
from veille.collectors.webhook import verify
from veille.config import Loaded, load
from veille.domain.errors import ConfigError, SourceError
from veille.domain.mention import Batch, Mention
from veille.nlp.analyst import Analyst

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
CALL = "Au secours, l'eau monte à Saint-Aubin, appelez-moi au 06 39 98 12 34"
CONFIG = """
[veille]
name = "Ville de Saint-Aubin"
[[watch]]
id = "mairie"
query = "Saint-Aubin"
[[source]]
id = "dossier"
kind = "file"
path = "mentions.jsonl"
[[source]]
id = "formulaire"
kind = "webhook"
secret = "HOOK"
"""
SECRET = "whsec_" + "dmVpbGxlLXRyaWFsLXRlc3RzLTMyLWJ5dGVzLWxvbmc="


pytestmark = pytest.mark.timeout(60)  # the model is loaded once, beside other work


@pytest.fixture(scope="module")
def analyst() -> Iterator[Analyst]:
    found = parts.load_analyst(None)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _one_model(analyst: Analyst, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = SimpleNamespace(analyze=analyst.analyze, close=lambda: None)
    monkeypatch.setattr(parts, "load_analyst", lambda _: shared)


@pytest.fixture
def town(tmp_path: Path) -> Loaded:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "secrets.toml").touch(mode=0o600)
    (tmp_path / "secrets.toml").write_text(
        f'HOOK = "{SECRET}"\nPSEUDONYM_KEY = "0123456789abcdef"\n'
    )
    return load(tmp_path / "config.toml")


def _line(number: int, text: str) -> str:
    at = "2026-01-18T02:00:00Z"
    author = {"id": "zebulon", "name": "Zébulon"}
    return json.dumps({"id": str(number), "text": text, "created_at": at, "author": author})


async def _try(target: str, loaded: Loaded, **options: int) -> Trial:
    told = Options(**options)
    return await attempt(find_target(target, loaded, told), loaded, told)


async def test_a_call_for_help_is_masked_understood_matched_and_flagged(
    town: Loaded, tmp_path: Path
) -> None:
    lines = [_line(1, CALL), "{half", _line(2, "la fête au village voisin")]
    (tmp_path / "mentions.jsonl").write_text("\n".join(lines))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    trial = await _try("dossier", town)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    call, other = trial.shown
    assert call.original.text == CALL
    assert call.masked.text.endswith("[téléphone masqué]")
    assert call.masked.author not in {None, "zebulon"}
    assert call.analysis.urgency.label.value == "urgent"
    assert [(m.watch, m.words) for m in call.matched] == [("mairie", ("Saint-Aubin",))]
    alerts = {reading.rule for reading in call.readings if reading.is_active}
    assert "urgent_mention" in alerts
    waiting = {reading.rule for reading in call.readings if not reading.is_active}
    assert "distress_burst" in waiting
    assert (other.matched, other.readings) == ((), ())
    assert [rejection.line for rejection in trial.rejected] == [2]


def test_a_spike_rule_without_windows_before_says_so(town: Loaded, tmp_path: Path) -> None:
    rule = (
        "{id: hausse, kind: spike, baseline: previous, window: 1h, min_count: 1, min_authors: 1, "
        "severity: warning}"
    )
    (tmp_path / "essai").mkdir()
    (tmp_path / "essai" / "r.yml").write_text(f"rules: [{rule}]")
    town.path.write_text(CONFIG + '[rules]\ndirectory = "essai"\n')
    (tmp_path / "mentions.jsonl").write_text(_line(1, "Saint-Aubin"))
    command = ["try", "dossier", "--config", str(town.path)]
    said = CliRunner().invoke(root, command)
    assert "hausse : compte 1 sur 1" in plain(said.output)
    assert "min_points 0 < 8" in said.output
    (item,) = json.loads(CliRunner().invoke(root, [*command, "--json"]).stdout)["items"]
    assert [(rule["alerts"], rule["reason"]) for rule in item["rules"]] == [
        (False, "min_points 0 < 8")
    ]


async def test_without_a_key_nothing_is_written_and_no_author_kept(
    town: Loaded, tmp_path: Path
) -> None:
    (tmp_path / "secrets.toml").write_text(f'HOOK = "{SECRET}"\n')
    (tmp_path / "mentions.jsonl").write_text(_line(1, "Saint-Aubin"))
    before = set(tmp_path.rglob("*"))
    trial = await _try("dossier", load(tmp_path / "config.toml"))
    assert trial.shown[0].masked.author is None
    assert set(tmp_path.rglob("*")) == before


@pytest.fixture
async def site() -> AsyncIterator[str]:
    app = web.Application()
    feed = (
        '<rss version="2.0"><channel><title>x</title>'
        "<item><guid>1</guid><title>Saint-Aubin hier</title></item>"
        "<item><guid>2</guid><title>Saint-Aubin avant</title></item></channel></rss>"
    )
    page = (
        '<html><head><link rel="alternate" type="application/rss+xml" href="/flux.xml"></head>'
        "<body>Bonjour</body></html>"
    )

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/flux.xml":
            return web.Response(text=feed, content_type="application/rss+xml")
        return web.Response(text=page, content_type="text/html")

    app.router.add_get("/{name:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_address_works_without_configuration(site: str) -> None:
    options = Options(allow_private=True, limit=1)
    loaded = without_config()
    trial = await attempt(find_target(f"{site}/flux.xml", loaded, options), loaded, options)
    assert (len(trial.shown), trial.seen) == (1, 2)
    assert trial.shown[0].matched[0].watch == "tout"


async def test_a_web_page_is_answered_with_the_address_of_its_feed(site: str) -> None:
    source = FeedSource(id="essai", url=f"{site}/", allow_private=True)
    with pytest.raises(SourceError, match=f"its feed is: {site}/flux.xml"):
        await read(source, without_config(), Options())


async def test_a_private_address_is_refused_with_the_remedy(site: str) -> None:
    source = find_target(f"{site}/flux.xml", without_config(), Options())
    with pytest.raises(SourceError, match="allow_private = true"):
        await read(source, without_config(), Options())


def test_a_mistyped_source_is_answered_with_the_nearest(town: Loaded) -> None:
    with pytest.raises(ConfigError, match='did you mean "dossier"'):
        find_target("dosier", town, Options())


async def test_a_file_of_plain_lines_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "essai.txt"
    path.write_bytes(
        b"\xef\xbb\xbfpremier\n\n \xff deuxi\xc3\xa8me\n" + b"x" * 5_000_000 + b"\nfin"
    )
    found = await read(
        find_target(str(path), without_config(), Options()), without_config(), Options()
    )
    assert [m.id for m in found.mentions] == ["1", "3", "4", "5"]
    assert found.mentions[1].text == "\ufffd deuxième"
    assert len(found.mentions[2].text) == 100_000


def test_the_example_of_a_webhook_carries_a_good_signature(town: Loaded) -> None:
    import shlex

    source = next(s for s in town.config.source if isinstance(s, WebhookSource))
    command = shlex.split(push_example(source, town, "L'essai « un »", now=NOW))
    headers = dict(
        command[at + 1].split(": ", 1) for at, word in enumerate(command) if word == "-H"
    )
    body = command[command.index("-d") + 1].encode()
    assert verify(SECRET, headers, body, NOW).startswith("essai-")
    assert command[1] == "http://127.0.0.1:8080/hooks/formulaire"
    assert SECRET not in command


class _Stream:
    """A stream that knows which of its batches were acknowledged."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = batches
        self.acknowledged: list[int] = []
        self.is_closed = False

    async def flow(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        assert cursor is None
        try:
            for number, batch in enumerate(self.batches):
                yield batch
                self.acknowledged.append(number)
        finally:
            self.is_closed = True


def _said(*texts: str) -> Batch:
    return Batch(
        mentions=tuple(Mention(source="bus", id=text, text=text, created_at=NOW) for text in texts)
    )


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> _Stream:
    found = _Stream(Batch(), _said("rien"), _said("Saint-Aubin un"), _said("Saint-Aubin deux"))

    async def build(*_: object, **__: object) -> _Stream:
        return found

    assert sample.collector is channels.collector
    monkeypatch.setattr(sample, "collector", build)
    return found


async def test_of_a_broker_no_message_is_acknowledged(town: Loaded, stream: _Stream) -> None:
    source = MqttSource(id="bus", host="127.0.0.1", mqtt_topic="a/#", allow_private=True)
    found = await read(source, town, Options())
    assert [m.text for m in found.mentions] == ["rien"]
    assert stream.acknowledged == [0]  # it held nothing
    assert stream.is_closed


async def test_of_a_firehose_what_is_about_us_comes_first(town: Loaded, stream: _Stream) -> None:
    source = BlueskySource(id="bluesky", urls=["wss://jetstream.example/subscribe"])
    found = await read(source, town, Options(limit=2))
    assert [m.text for m in found.mentions] == ["Saint-Aubin un", "Saint-Aubin deux", "rien"]
    assert stream.is_closed
