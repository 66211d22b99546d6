"""Measure what rules cost: 10, 100 and 1,000 of them beside the analysis they look at.

    python benchmarks/rules.py [--count 1000] [--rate 200]

Texts and rules are made here: those of a prefecture with 20 watches and 40 communes, in a week in
which one message of six is about something. Mentions come at `--rate` a second of virtual time and
are analyzed by the shipped model in batches of 32; the rules look after each. Processor time of all
threads, so that a busy machine says the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from veille.app import parts
from veille.domain.alert import AlertState
from veille.domain.mention import Author, Batch, Mention, MentionKind
from veille.domain.query import Matcher
from veille.domain.watch import Watch
from veille.pipeline.analyze import BATCH, Analyze
from veille.pipeline.collect import Collect
from veille.pipeline.evaluate import Evaluate
from veille.privacy.settings import PrivacySettings
from veille.rules.parse import joined, parse_files, parse_rules
from veille.store.engine import SqliteStore
from veille.telemetry import configure_logs

SIZES = (10, 100, 1000)
IN_A_FILE = 250
WARM = 8 * BATCH
"""Mentions that are not measured: the first ones open every group and learn every season."""
START = datetime(2026, 11, 16, 17, 0, tzinfo=UTC)
COMMUNES = [f"{a}-{b}" for a in ("Saint-Aubin", "Valmont", "Brézolles", "Hautefeuille", "Locmaria",
            "Montreuil", "Sainte-Colombe", "Villers") for b in ("le-Vieux", "sur-Orne", "la-Forêt",
            "en-Plaine", "les-Bains")]  # fmt: skip
SERVICES = {
    "voirie": ("trottoir", "nid de poule", "travaux", "route départementale"),
    "ecoles": ("école", "cantine", "collège", "ramassage scolaire"),
    "proprete": ("poubelles", "dépôt sauvage", "encombrants", "déchetterie"),
    "transports": ("bus", "car scolaire", "arrêt", "ligne 4"),
    "eau": ("eau du robinet", "coupure d'eau", "fuite", "compteur"),
    "piscine": ("piscine", "maître-nageur", "bassin", "vestiaires"),
    "guichet": ("carte d'identité", "rendez-vous", "guichet", "passeport"),
    "police": ("police municipale", "vidéosurveillance", "verbalisation", "fourrière"),
    "sante": ("maison médicale", "urgences", "médecin", "pharmacie de garde"),
    "urbanisme": ("permis de construire", "lotissement", "enquête publique", "promoteur"),
    "culture": ("médiathèque", "festival", "salle des fêtes", "conservatoire"),
    "social": ("logement social", "aide alimentaire", "hébergement", "allocation"),
    "energie": ("panne de courant", "éclairage public", "chauffage", "coupure"),
    "numerique": ("fibre", "site de la ville", "application", "mot de passe"),
    "parcs": ("parc", "aire de jeux", "élagage", "fontaine"),
    "impots": ("taxe foncière", "impôts locaux", "avis d'imposition", "trésorerie"),
    "elections": ("bureau de vote", "procuration", "liste électorale", "scrutin"),
    "animaux": ("chien errant", "refuge", "sangliers", "frelons"),
    "bruit": ("tapage", "scooters", "bruit", "fête"),
    "prefecture": ("préfecture", "préfet", "arrêté préfectoral", "titre de séjour"),
}
CALM = (
    "À {c}, {s} : enfin des nouvelles, la réunion est fixée à jeudi soir à la mairie",
    "Quelqu'un sait quand {s} sera réparé à {c} ? Trois semaines que l'on attend une réponse",
    "Merci aux agents de {c} pour {s}, c'est bien plus agréable depuis ce matin",
    "Encore {s} à {c}, on paie des impôts pour quoi exactement, c'est lamentable",
    "Le conseil municipal de {c} a voté hier le budget : {s} en tête des dépenses de l'année",
    "Photo du jour : {c} sous le soleil, marché du samedi et {s}, belle ambiance",
    "On m'a renvoyé trois fois pour {s} à {c}, l'accueil au téléphone ne répond jamais",
)
LOUD = (
    "L'eau monte rue du Moulin à {c}, la rivière déborde, des voitures sont emportées",
    "Incendie à {c}, beaucoup de fumée, des gens aux fenêtres, appelez les pompiers",
    "Nous sommes coincés sur le toit à {c}, l'eau arrive au premier étage, au secours",
    "Explosion de gaz à {c}, odeur forte dans toute la rue, on évacue l'école",
    "Il paraît que l'eau du robinet de {c} est empoisonnée, ne buvez plus, faites passer",
    "Honte au maire de {c}, {s}, des menteurs et des voleurs, démission",
    "Je vais venir à la mairie de {c} et vous allez voir, vous allez le regretter",
    "Accident grave sur la départementale à {c}, un car scolaire dans le fossé, des blessés",
)
DANGERS = {
    "flood": (["inond*", "crue*", "l'eau monte", "débord*", "submerg*"], "flood"),
    "fire": (["incendie*", "fumée*", "en feu", "flammes", "brûle*"], "fire"),
    "gas": (["odeur de gaz", "fuite de gaz", "explosion*"], "gas"),
    "road": (["accident*", "blessé*", "collision", "carambolage"], "accident"),
    "rumor": (["il paraît que", "empoisonn*", "faites passer", "on nous cache"], None),
    "threat": (["vous allez voir", "vous allez le regretter", "je vais venir"], None),
}
KINDS = (
    ["mention"] * 26 + ["count"] * 34 + ["spike"] * 12 + ["distinct"] * 4 + ["ratio"] * 4
    + ["velocity"] * 3 + ["reach"] * 4 + ["new_term"] * 2 + ["silence"] * 3 + ["sequence"] * 3
    + ["unanswered"] * 2 + ["build"] * 2 + ["composite"]
)  # fmt: skip
"""Of a hundred rules; a fifth of the spikes compare with previous windows."""

Made = dict[str, Any]  # a rule as YAML holds it


def where(rng: random.Random, *, is_narrow: bool) -> Made:
    """Return conditions: of a danger, a commune, an attack; else also of a watch's daily talk."""
    watch, commune = rng.choice(list(SERVICES)), rng.choice(COMMUNES)
    words, hazard = DANGERS[rng.choice(list(DANGERS))]
    topic = rng.choice(["roads", "school", "waste", "transport", "water", "health", "safety"])
    low = f">= {rng.choice([0.5, 0.7, 0.8, 0.9])}"
    narrow: list[Made] = [
        {"text": {"words": words}, "any": [{"text": {"words": [commune]}}, {"territory": "true"}]},
        {"text": {"words": [commune]}, "urgency.score": low, "watch": watch},
        {"urgency.label": "urgent", "text": {"words": words}, "place.name": commune},
        {"watch": watch, "urgency.score": low, "card.hazard": hazard or "flood"},
        {"watch": watch, "hostility.label": ["uncivil", "threat"]},
        {"followers": ">= 20000", "watch": watch, "sentiment.score": "<= -0.5"},
    ]
    daily: list[Made] = [
        {"watch": watch, "sentiment.label": "negative", "topics": [topic]},
        {"watch": watch, "text": {"words": list(SERVICES[watch])}, "sentiment.score": "<= -0.5"},
        {"watch": watch, "intent.label": ["complaint", "criticism"]},
        {"topics": [topic], "text": {"words": [commune]}, "not": {"source": "presse"}},
        {"source": rng.choice(["presse", "bluesky", "forum"]), "text": {"words": words}},
    ]
    patterns: list[Made] = [{"text": {"re": rf"(?i)RD ?{rng.randint(1, 999)}(?:[^0-9]|$)"}}]
    if is_narrow:
        return rng.choice(narrow)
    return rng.choices([*narrow, *daily, *patterns], weights=[4] * 11 + [1])[0]


def made_of(kind: str, rng: random.Random, plain: Sequence[str]) -> Made:
    """Return the fields of one kind; thresholds are those of 200 mentions a second."""
    window = rng.choice(["15m", "30m", "1h", "6h"])
    floors = {"window": window, "min_count": rng.choice([25, 100, 500, 2000]), "min_authors": 10}
    watch = {"watch": rng.choice(list(SERVICES))}
    asked, narrow = where(rng, is_narrow=False), where(rng, is_narrow=True)
    previous = {"where": asked, "baseline": "previous", **floors, "window": "1h"}
    steps = [{"where": narrow}, {"where": asked, "min_count": 25}]
    fields: dict[str, Made] = {
        "mention": {"where": narrow, "window": "15m"},
        "count": {"where": asked, **floors},
        "spike": rng.choice([{"where": watch, **floors, "window": "1h"}] * 4 + [previous]),
        "distinct": {"where": asked, "of": "author", "min_distinct": 50},
        "ratio": {
            "where": watch,
            "of": {"sentiment.label": "negative"},
            "min_ratio": 0.8,
            **floors,
        },
        "velocity": {"where": asked, "doubles_in": "10m", **floors},
        "reach": {"where": asked, "min_reach": 1_000_000},
        "new_term": {"where": watch, "of": "hashtag"},
        "silence": {"group_by": ["source"], "where": {"source": "presse"}},
        "sequence": {"within": "1h", "steps": steps},
        "unanswered": {"where": {"intent.label": "question", **watch}, "within": "4h"},
        "build": {"where": watch, **floors, "window": "1h"},
        "composite": {"all": rng.sample(plain, min(2, len(plain))), "group_by": []},
    }
    return fields[kind]


def rules(count: int) -> Iterator[Made]:
    """Yield so many rules in the mix of KINDS."""
    rng = random.Random(5)
    kinds = [kind for _ in range(-(-count // 100)) for kind in rng.sample(KINDS, len(KINDS))]
    plain: list[str] = []
    for number, drawn in enumerate(kinds[:count]):
        kind = "count" if number % IN_A_FILE == 0 else drawn
        plain = [] if number % IN_A_FILE == 0 else plain  # a composite looks into its own file
        yield {
            "id": f"r{number}",
            "kind": kind,
            "severity": rng.choice(["info", "warning", "critical"]),
            "group_by": rng.choice([["watch"], ["watch"], ["watch", "source"], []]),
            "annotations": {"summary": "Situation à suivre", "description": "Voir les messages"},
            **made_of(kind, rng, plain),
        }
        if kind in {"mention", "count"}:
            plain.append(f"r{number}")


def files(made: Sequence[Made]) -> dict[str, bytes]:
    """Return rule files of IN_A_FILE rules each."""
    apart = json.loads(json.dumps(made))  # no list stands twice: YAML would write an alias
    return {
        f"r{at:04}.yml": yaml.safe_dump(
            {"rules": apart[at : at + IN_A_FILE]}, allow_unicode=True
        ).encode()
        for at in range(0, len(apart), IN_A_FILE)
    }


def mentions(count: int, rate: float) -> list[Mention]:
    """Return mentions of a busy evening, `rate` a second, of a thousand authors."""
    rng = random.Random(7)
    services = [word for words in SERVICES.values() for word in words]
    made = []
    for number in range(count):
        at = START + timedelta(seconds=number / rate)
        template = rng.choice(LOUD if rng.random() < 1 / 6 else CALM)
        text = template.format(c=rng.choice(COMMUNES), s=rng.choice(services))
        made.append(
            Mention(
                source=rng.choice(["bluesky", "bluesky", "mastodon", "forum", "presse"]),
                id=f"m{number}",
                kind=MentionKind.POST,
                text=f"{text} {rng.choice(services)} {rng.randint(1, 9999)}",
                created_at=at,
                received_at=at,
                author=Author(id=f"a{rng.randint(1, 1000)}", followers=int(rng.paretovariate(1))),
            )
        )
    return made


def watches() -> list[Watch]:
    """Return one watch a service."""
    return [
        Watch(id=name, query=" OR ".join(f'"{word}"' for word in words))
        for name, words in SERVICES.items()
    ]


class Source:
    """A source that all watches are tried on."""

    id = "bench"
    watches: list[str] | None = None
    trusted = False
    own = False


async def reload(evaluates: Mapping[int, Evaluate], now: datetime) -> None:
    """Print how long one changed rule among so many takes until all have looked again."""
    for size, evaluate in evaluates.items():
        made = list(rules(size))
        known = parse_files(files(made))
        made[0]["severity"] = "warning" if made[0]["severity"] == "info" else "info"
        written = files(made)
        began, began_s = time.process_time(), time.perf_counter()
        evaluate.take_rules(joined(parse_files(written, known=known)))
        parsed = time.process_time() - began
        await evaluate.step(now)
        used, took_s = time.process_time() - began, time.perf_counter() - began_s
        print(
            f"reload {size:>4} rules {used:22.2f} s of processor time, {parsed:.2f} s of it to "
            f"parse; {took_s:.2f} s by the clock"
        )


async def measure(folder: Path, count: int, rate: float) -> None:
    """Print what parsing, the analysis, and the rules of each size cost."""
    sets = {}
    for size in SIZES:
        written = files(list(rules(size)))
        began = time.process_time()
        sets[size] = parse_rules(written)
        print(f"parse {size:>5} rules {time.process_time() - began:22.2f} s of processor time")
    async with SqliteStore(folder / "rules.db", is_durable=True) as store:
        analyze = Analyze(store, parts.load_analyst(None))
        key = b"benchmark-benchmark-benchmark-32"
        protector = parts.build_protector(key, PrivacySettings())
        collect = Collect(store, matcher=Matcher(watches()), protector=protector, is_replay=True)
        evaluates = {size: Evaluate(store, found) for size, found in sets.items()}
        for evaluate in evaluates.values():
            await evaluate.open(START)
        spent: dict[str | int, float] = {}

        async def spend(name: str | int, work: Callable[[], Any]) -> None:
            began = time.process_time()
            while await work():
                pass
            spent[name] = spent.get(name, 0.0) + time.process_time() - began

        script = mentions(WARM + count, rate)
        for at in range(0, WARM + count, BATCH):
            if at == WARM:
                spent.clear()
            batch = script[at : at + BATCH]
            now = batch[-1].received_at or START

            async def accept(batch: list[Mention] = batch, now: datetime = now) -> None:
                await collect.accept(Source(), Batch(mentions=batch, cursor=None), now=now)

            await spend("collect", accept)
            await spend("analyze", lambda now=now: analyze.step(now))
            for size, evaluate in evaluates.items():
                await spend(size, lambda now=now, step=evaluate.step: step(now))
        await reload(evaluates, now)
    base = spent["collect"] + spent["analyze"]
    print(f"collect and analyze {1000 * base / count:20.2f} ms a mention")
    for size in SIZES:
        ms = 1000 * spent[size] / count
        share = spent[size] / (base + spent[size])
        fire = sum(a.state is AlertState.FIRING for a in evaluates[size].live)
        said = f"{share:.1%} of the pipeline; {fire} alerts fire"
        print(f"evaluate {size:>5} rules {ms:22.2f} ms a mention, {said}")


def main() -> None:
    """Run the measurement in a folder of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=200.0)
    given, _ = parser.parse_known_args()
    configure_logs(level="warning")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), given.count, given.rate))


if __name__ == "__main__":
    main()
