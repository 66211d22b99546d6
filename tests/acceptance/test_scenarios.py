"""Scenarios S1, S4, S6 and S10 of the product with the shipped rules, through `veille replay`."""

from __future__ import annotations

import json
import random
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from servers.town import VEILLE
from veille.app.replay import build_stages, protector
from veille.collectors.base import FileSource
from veille.collectors.interchange import parse_lines
from veille.config import load
from veille.domain.analysis import HostilityLabel, IntentLabel, SentimentLabel
from veille.domain.incident import Incident, IncidentState
from veille.domain.mention import Batch
from veille.domain.record import StoredMention
from veille.pipeline.replay import Script
from veille.store import incidents, mentions, observations
from veille.store.engine import Db, SqliteStore

CONFIG = """
[veille]
name = "La Londe-les-Maures"
[[watch]]
id = "mairie"
query = ""
territory = ["83071"]
[[receiver]]
id = "astreinte"
kind = "webhook"
url = "https://astreinte.example/alertes"
secret = "ASTREINTE"
[[receiver]]
id = "juridique"
kind = "webhook"
url = "https://juridique.example/alertes"
secret = "JURIDIQUE"
[route]
receivers = ["astreinte"]
[[route.routes]]
match = { legal = "yes" }
receivers = ["astreinte", "juridique"]
"""
HOOK = "whsec_YWNjZXB0YW5jZS1hY2NlcHRhbmNlLTMy"
NIGHT = datetime.fromisoformat("2026-01-18T02:13:00+01:00")
CALL = (
    "Mon père est coincé dans sa voiture, l'eau monte, route de la Plage à La Londe-les-Maures, "
    "le 18 ne répond pas"
)
RAIN = (
    "il pleut fort ce soir", "il pleut des cordes chez nous", "ça tombe fort là, vous aussi ?",
    "quelle pluie, j'ai rentré le linge juste à temps", "sacrée averse, on n'entend plus la télé",
    "gros orage sur La Londe, le chien est sous le lit", "encore de la pluie, bon pour le jardin",
    "il pleut fort ce soir à La Londe-les-Maures, restez au chaud", "vivement que ça s'arrête",
    "les gouttières débordent, c'est la fête", "météo france annonce encore deux heures de pluie",
    "vigilance orange sur le Var, prudence sur la route", "quel temps pourri ce week-end",
    "il pleut fort ce soir, soirée crêpes à la maison", "ça gronde au loin, joli spectacle",
    "les rues brillent sous la pluie, belle photo", "j'espère que ma cave va rester sèche",
    "on dirait une piscine devant chez moi lol", "il pleut fort, roulez doucement",
    "bon bah pas de marché demain avec ce temps", "l'orage a fait sauter ma box cinq minutes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a replay said and left behind."""

    lines: list[dict[str, Any]]
    incidents: list[Incident]
    told: list[tuple[str, datetime, dict[str, Any]]]
    mentions: list[StoredMention]
    evidence: dict[int, list[str]]

    def fired(self, severity: str) -> list[dict[str, Any]]:
        is_it = ("alert.firing", severity)
        return [x for x in self.lines if (x["type"], x["severity"]) == is_it]


def line(number: int, at: datetime, text: str, **more: object) -> dict[str, object]:
    return {
        "source": "forum", "id": f"m{number}", "text": text, "created_at": at.isoformat(),
        "author": {"id": f"a{number}"},
    } | more  # fmt: skip


def write_config(folder: Path) -> Path:
    (folder / "config.toml").write_text(CONFIG)
    hidden = folder / "secrets.toml"
    hidden.touch(mode=0o600)
    hidden.write_text(
        'PSEUDONYM_KEY = "a key of the acceptance tests"\n'
        f'ASTREINTE = "{HOOK}"\nJURIDIQUE = "{HOOK}"\n'
    )
    return folder / "config.toml"


async def played(folder: Path, said: Sequence[dict[str, object]], until: datetime) -> Played:
    """Replay these lines with the shipped rules and the route above."""
    file, database = folder / "said.jsonl", folder / "said.db"
    file.write_text("".join(json.dumps(one) + "\n" for one in said), encoding="utf-8")
    command = [str(VEILLE), "replay", str(file), "--json", "--db", str(database)]
    command += ["--config", str(write_config(folder)), "--until", until.isoformat()]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    out = done.stdout
    async with SqliteStore(database) as store:
        return await store.read(lambda db: left(db, [json.loads(x) for x in out.splitlines()]))


def left(db: Db, lines: list[dict[str, Any]]) -> Played:
    """Return what stands in the store of a replay; nothing of it was ever sent."""
    keys = [one.key for one in observations.after(db, 0, limit=5000)]
    rows = db.rows("SELECT receiver, due_at, facts FROM outbox ORDER BY id")
    known = incidents.list_(db, states=set(IncidentState), limit=100)
    return Played(
        lines=lines,
        incidents=known,
        told=[
            (
                row["receiver"],
                datetime.fromtimestamp(row["due_at"] / 1e6, UTC),
                json.loads(row["facts"]),
            )
            for row in rows
        ],
        mentions=list(mentions.stored(db, keys).values()),
        evidence={one.id: incidents.evidence(db, one.id, 5000) for one in known},
    )


async def driven(folder: Path, said: Sequence[dict[str, object]], until: datetime) -> Played:
    """The same stages over sources that are read every half hour: two days in seconds."""
    loaded = load(write_config(folder))
    script = Script.of(b"", parse_lines([json.dumps(one).encode() for one in said]).mentions)
    origin = FileSource(id="forum", path="said.jsonl")
    now = min(mention.created_at for mention in script.mentions)
    waiting = deque(replace(mention, received_at=None) for mention in script.mentions)
    async with SqliteStore(folder / "said.db", is_durable=False) as store:
        stages = await build_stages(store, loaded, protector(loaded, script))
        await stages.evaluate.open(now)
        while now <= until:
            coming = []
            while waiting and waiting[0].created_at <= now:
                coming.append(waiting.popleft())
            await stages.collect.accept(origin, Batch(mentions=tuple(coming)), now=now)
            for stage in (stages.analyze, stages.evaluate, stages.dispatch):
                while await stage.step(now):
                    pass
            now += timedelta(minutes=30)
        return await store.read(lambda db: left(db, []))


async def test_s1_one_call_in_the_rain_is_one_critical_page_within_ten_seconds(tmp_path: Path):
    rain = [
        line(n, NIGHT + timedelta(seconds=45 * n - 900), RAIN[n % len(RAIN)] + " !" * (n > 20))
        for n in range(40)
    ]
    call = line(99, NIGHT, CALL, media=[{"type": "image", "url": "https://media.example/1.jpg"}])
    found = await played(tmp_path, [*rain, call], NIGHT + timedelta(minutes=40))
    (critical,) = found.fired("critical")
    assert (critical["rule"], critical["evidence"]) == ("flood_rescue", ["forum:m99"])
    pages = [(at, facts) for _, at, facts in found.told if facts["severity"] == "critical"]
    assert pages[0][0] - NIGHT <= timedelta(seconds=10)
    assert pages[0][1]["labels"]["hazard"] == "flood"
    assert "18 ou le 112" in pages[0][1]["annotations"]["actions"]
    (mention,) = [one for one in found.mentions if one.text.startswith("Mon père")]
    assert mention.author not in {None, "a99"}
    card = mention.card
    assert card is not None
    assert card.hazard is not None
    assert card.need is not None
    assert card.people is not None
    assert (card.hazard.value, card.need.value, card.people.value.number) == ("flood", "rescue", 1)
    assert "route de la Plage" in [place.text for place in card.places]
    assert (card.has_media, card.verification) == (True, "unverified")
    assert mention.analysis is not None
    assert {place.insee for place in mention.analysis.places} == {"83071"}


WHO = ("Ce maire", "Notre maire", "Le maire", "Monsieur le maire", "Ce pauvre maire", "Votre maire")
WHAT = (
    "est un voleur", "n'est qu'un clown incompétent", "est une ordure", "est un gros porc",
    "est un minable", "est une raclure", "est un parasite", "est un menteur et un vendu",
    "est une serpillière", "est un crétin fini",
)  # fmt: skip
AND = (
    "et nous dégoûte tous", "depuis le premier jour", "et tout le monde le sait", "qu'il dégage",
    "comme toute sa clique", "du matin au soir", "qui se gave sur notre dos", "rien d'autre",
    "bon à jeter", "et un lâche", "à vomir", "et ça se voit", "de la pire espèce", "quelle honte",
)  # fmt: skip
CIVIL = (
    "Je ne suis pas d'accord avec la fermeture de la place, il fallait consulter les commerçants",
    "Le compte rendu du conseil devrait être publié plus vite",
    "À mon avis il aurait mieux valu rénover l'école que refaire la place",
    "Ce rond-point ne règle rien, une piste cyclable aurait été plus utile",
    "Le projet de parking coûte trop cher pour ce qu'il apporte",
    "Les horaires de la médiathèque devraient tenir compte de ceux qui travaillent",
)

THEN = ("merci d'y penser", "c'est mon avis", "à méditer", "qu'en dites-vous", "voilà tout")


def storm(start: datetime) -> list[dict[str, object]]:
    """800 insults of 450 accounts, 400 of them of less than three days, in 48 hours.

    Sixty texts are said by eight accounts each within 20 s; 30 civil criticisms stand between.
    """
    chance = random.Random(4)
    texts = [f"{who} {what} {and_}" for who in WHO for what in WHAT for and_ in AND]
    chance.shuffle(texts)
    accounts = [n % 450 for n in range(800)]
    moments = [timedelta(minutes=48 * n) for n in range(60)]
    said = []
    for number, account in enumerate(accounts):
        text = texts[number // 8] if number < 480 else texts[number]
        at = start + timedelta(minutes=9 * (number - 480))
        if number < 480:
            at = start + moments[number // 8] + timedelta(seconds=2.5 * (number % 8))
        age = timedelta(days=2) if account < 400 else timedelta(days=900)
        who = {"id": f"compte{account}", "created_at": (start - age).isoformat()}
        if account < 400:  # less than three days old whenever it writes
            who["created_at"] = (at - timedelta(days=2)).isoformat()
        said.append(line(number, at, text, author=who))
    for n in range(30):
        at = start + timedelta(minutes=95 * n + 7)
        said.append(line(1000 + n, at, f"{CIVIL[n % 6]}, {THEN[n // 6]}"))
    return said


async def test_s4_a_storm_of_insults_is_one_incident_with_its_coordination(tmp_path: Path):
    start = datetime.fromisoformat("2026-03-02T08:00:00+01:00")
    found = await driven(tmp_path, storm(start), start + timedelta(hours=48))
    about = [i for i in found.incidents if i.labels["topic"] == "threat_to_staff"]
    assert len(about) == 1
    assert [i for i in found.incidents if i not in about and i.severity != "info"] == []
    told = [(to, facts) for to, _, facts in found.told if facts["incident"] == about[0].id]
    assert {receiver for receiver, _ in told} == {"astreinte", "juridique"}
    signs = told[-1][1]["coordination"]
    assert (signs["new_accounts"], signs["accounts"]) == (400, 450)
    assert round(signs["new_accounts"] / signs["accounts"], 2) == 0.89
    assert 50 <= signs["texts"] <= 60, "as many as the model reads as insults"
    assert signs["copies"] == 8 * signs["texts"]
    assert (signs["shortest_s"], signs["median_s"]) == (2.5, 2.5)
    civil = [one for one in found.mentions if one.text.startswith(CIVIL)]
    assert len(civil) == 30
    assert not {one.key for one in civil} & set(found.evidence[about[0].id])
    labels = [one.analysis.hostility.label for one in civil if one.analysis]
    assert set(labels) <= {HostilityLabel.NONE, HostilityLabel.UNDECIDED}


async def test_s6_a_threat_is_critical_and_criticism_thanks_and_irony_are_not(tmp_path: Path):
    start = datetime.fromisoformat("2026-03-02T10:00:00+01:00")
    said = (
        "Les horaires de la médiathèque excluent ceux qui travaillent, ouvrez le samedi matin",
        "Bande d'incapables",
        "Je sais où habite l'agente du guichet, elle va le regretter",
        "Bravo, encore trois semaines sans ramassage, champions !",
        "Merci aux agents",
    )
    lines = [line(n, start + timedelta(minutes=n), text) for n, text in enumerate(said)]
    found = await played(tmp_path, lines, start + timedelta(minutes=30))
    fired = [x for x in found.lines if x["type"] == "alert.firing"]
    assert [(x["rule"], x["severity"], x["evidence"]) for x in fired] == [
        ("threat_to_staff", "critical", ["forum:m2"])
    ]
    assert {receiver for receiver, _, _ in found.told} == {"astreinte", "juridique"}
    read = {one.text: one.analysis for one in found.mentions if one.analysis}
    assert read[said[0]].hostility.label is HostilityLabel.NONE
    assert read[said[1]].hostility.label is HostilityLabel.UNCIVIL
    negative = {SentimentLabel.NEGATIVE, SentimentLabel.UNDECIDED}
    assert read[said[3]].sentiment.label in negative
    assert read[said[4]].intent.label is IntentLabel.THANKS


async def test_s10_a_source_that_stops_is_said_within_two_gaps_a_weekly_one_is_not(tmp_path: Path):
    stop = datetime.fromisoformat("2026-03-02T12:00:00+01:00")
    said = [
        line(n, stop - timedelta(minutes=2 * n), f"remarque {n} sur la place", source="vive")
        for n in range(60)
    ]
    said += [
        line(100 + n, stop - timedelta(days=7 * n, hours=1), f"lettre {n}", source="lettre")
        for n in range(4)
    ]
    first_read = (stop - timedelta(hours=3)).isoformat()  # what an account shows when it is added
    ages = {"facebook": 3, "x": 190, "snapchat": 400}
    said += [
        line(200 + n, stop - timedelta(days=days), "nos vœux", source=name, own=True)
        | {"received_at": first_read}
        for n, (name, days) in enumerate(ages.items())
    ]
    said += [
        line(300 + n, stop - timedelta(days=10, minutes=n), "une question", source="x")
        | {"received_at": first_read}
        for n in range(14)
    ]
    said += [line(400, stop + timedelta(minutes=30), "un mot", source="lettre")]
    found = await played(tmp_path, said, stop + timedelta(minutes=30))
    silent = [x for x in found.lines if (x["type"], x["rule"]) == ("alert.firing", "source_silent")]
    assert [x["group"] for x in silent] == [{"source": "vive"}]
    at = datetime.fromisoformat(str(silent[0]["at"]))
    assert stop < at <= stop + 2 * timedelta(minutes=2) + timedelta(seconds=10)
    gone = [
        x for x in found.lines if (x["type"], x["rule"]) == ("alert.firing", "own_account_silent")
    ]
    assert {x["group"]["source"] for x in gone} == {"x", "snapchat"}
