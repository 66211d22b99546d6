"""Scenario S5 of the product through `veille replay`; its kills are in pipeline/test_replay."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from servers.town import VEILLE
from veille.domain.analysis import Analysis
from veille.store import observations
from veille.store.engine import SqliteStore

CONFIG = """
[veille]
name = "Ville de Saint-Aubin"
[[watch]]
id = "mairie"
query = ""
[rules]
directory = "rules"
"""
RULES = """rules:
  - {id: claim, kind: mention, where: {cluster.is_claim: true}, window: 1h, severity: info}
  - {id: wind, kind: count, where: {text: {words: ["tornade*", vent]}}, window: 1h, min_count: 6,
     severity: info}
  - {id: copies, kind: count, where: {text: {words: ["tornade*"]}}, window: 1h, min_count: 12,
     count_by: mentions, severity: info}
"""
START = datetime.fromisoformat("2026-11-16T18:00:00+01:00")
VARIANTS = (
    "Une tornade arrive sur Alès et Uzès, restez chez vous",
    "RT @gard30 : Une tornade arrive sur Alès et Uzès, restez chez vous !!",
    "Mon beau-frère de Nîmes dit qu'une tornade fonce sur Uzès et Alès, rentrez les gosses",
    "Tornade annoncée entre Alès et Uzès dans 20 minutes, faites passer !",
    "une tornade arive sur Alès et Uzès restez chez vous #gard",
    "TORNADE qui arrive droit sur UZES et ALES",
    "« Une tornade arrive sur Alès et Uzès, restez… »",
    "Quelqu'un confirme la tornade vers Alès / Uzès ?",
    "c'est pas une blague, une tornade se dirige vers Alès puis Uzès",
    "Tornade Alès Uzès d'ici 15 min selon un pompier, ne sortez pas",
    "il paraît qu'une tornade arrive sur ales et uzes",
    "Grosse tornade en formation, elle arrive à Alès et à Uzès ce soir",
)
WIND = (
    "Quel vent à Alès cet après-midi, le store de la voisine est parti",
    "Le vent arrive sur Alès et Uzès, rafales de 60 km/h attendues",
    "Vent violent à Alès et Uzès ce soir",
    "Encore une tuile tombée avec ce vent, que fait la mairie pour l'école",
    "Plus de courant à Uzès avec ce vent, ça revient doucement",
)
DENIAL = "La préfecture dément : aucune tornade n'arrive sur Alès et Uzès"
INTOX = "INTOX : « Une tornade arrive sur Alès et Uzès, restez chez vous »"
COMMUNES = {"30007", "30334"}  # Alès and Uzès


@pytest.fixture
def town(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "r.yml").write_text(RULES)
    (tmp_path / "config.toml").write_text(CONFIG)
    said = [(45 * n, text) for n, text in enumerate(VARIANTS)]
    said += [(45 * n + 20, text) for n, text in enumerate(WIND)]
    said += [(600, DENIAL)]
    said += [(600 + 120 * 2**n, VARIANTS[n * 2]) for n in range(6)]
    said += [(86_400, VARIANTS[3]), (86_460, INTOX)]
    lines = [
        {"source": "forum", "id": f"m{n}", "text": text, "author": {"id": f"a{n}"},
         "created_at": (START + timedelta(seconds=second)).isoformat()}
        for n, (second, text) in enumerate(said)
    ]  # fmt: skip
    (tmp_path / "s5.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return tmp_path


def replayed(town: Path, database: Path) -> bytes:
    command = [str(VEILLE), "replay", str(town / "s5.jsonl"), "--json", "--db", str(database)]
    command += ["--config", str(town / "config.toml")]
    return subprocess.run(command, capture_output=True, check=True).stdout


async def analyses(database: Path) -> dict[str, Analysis]:
    """The analysis of each text as it came in, the last time it was said."""
    async with SqliteStore(database) as store:
        seen = await store.read(lambda db: observations.after(db, 0, limit=100))
    return {o.text: o.analysis for o in seen if o.analysis}


async def test_s5_a_rumor_is_one_cluster_that_counts_once(town: Path) -> None:
    whole = replayed(town, town / "whole.db")
    read = await analyses(town / "whole.db")
    found = {text: one.cluster for text, one in read.items() if one.cluster is not None}
    rumor = Counter(found[text].id for text in VARIANTS)
    assert list(rumor.values()) == [12], "one cluster"
    (name,) = rumor
    assert name not in {found[text].id for text in (*WIND, DENIAL, INTOX)}
    named = Counter(code for text in VARIANTS for code in {p.insee for p in read[text].places})
    assert {code for code, count in named.items() if count > len(VARIANTS) / 2} == COMMUNES
    assert named.keys() - COMMUNES == {"30189"}, "the brother-in-law's Nîmes"
    assert (found[VARIANTS[3]].size, found[VARIANTS[3]].is_claim) == (19, True)
    lines = [json.loads(line) for line in whole.splitlines()]
    told = [(x["rule"], x["at"][8:19]) for x in lines if x["type"] == "alert.firing"]
    of_claim = [at for rule, at in told if rule == "claim"]
    assert of_claim == ["16T17:02:20", "17T17:00:00"], "its third voice, and back the next day"
    assert [at for rule, at in told if rule == "copies"] == ["16T17:08:20"]
    counted = [x["value"] for x in lines if x["rule"] == "wind" and x["type"] == "alert.firing"]
    assert counted == [6], "the rumour is one, beside four of wind and the denial"
