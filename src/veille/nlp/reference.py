"""Sentences every good model reads the same way: a damaged or wrong one is noticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from veille.domain.analysis import Analysis, Passage, SentimentLabel, UrgencyLabel
from veille.nlp.analyst import Analyst
from veille.nlp.heads import Heads
from veille.nlp.parity import Gap, Reference, gaps
from veille.nlp.prepare import for_encoder

URGENT = (
    "Au secours, l'eau entre par la porte et ma mère ne peut plus descendre, venez vite",
    "Il y a des flammes au deuxième étage et des enfants appellent à la fenêtre",
)
CALM = (
    "La bibliothèque ouvre à dix heures le mercredi",
    "Le conseil municipal se réunit jeudi soir en salle des mariages",
)
GLAD = (
    "Bravo et merci aux agents, le parc est magnifique",
    "Quelle belle fête hier soir, tout le monde était ravi",
)
CROSS = (
    "C'est une honte, la rue est sale et personne ne répond jamais",
    "Service lamentable, trois heures d'attente pour rien, je suis furieux",
)
PLACE = "Les habitants de Marseille attendent le tramway"


def differences(analyst: Analyst) -> list[str]:
    """Return what the model reads otherwise than expected, empty when nothing.

    Only orders and labels are compared, no score with a number: every urgent sentence above every
    calm one, every glad one above every cross one.
    """
    texts = (*URGENT, *CALM, *GLAD, *CROSS, PLACE)
    return list(
        _differences(
            dict(zip(texts, analyst.analyze([Passage(text=text) for text in texts]), strict=True))
        )
    )


def distances(analyst: Analyst, references: Sequence[Reference]) -> dict[str, Gap]:
    """Return for each head how far its scores are from the stored fp32 ones; {} without any."""
    if not references:
        return {}
    found = analyst.encoder.encode([for_encoder(each.text) for each in references])
    return gaps(
        Heads(analyst.manifest),
        [each.logits for each in found],
        [each.logits for each in references],
    )


def _differences(found: dict[str, Analysis]) -> Iterator[str]:
    for text in URGENT:
        if found[text].urgency.label is not UrgencyLabel.URGENT:
            yield f"not urgent: {text}"
    for texts, label in ((GLAD, SentimentLabel.POSITIVE), (CROSS, SentimentLabel.NEGATIVE)):
        for text in texts:
            if found[text].sentiment.label is not label:
                yield f"not {label}: {text}"
    if min(found[t].urgency.score for t in URGENT) <= max(found[t].urgency.score for t in CALM):
        yield "a calm sentence is as urgent as a call for help"
    if min(found[t].sentiment.score for t in GLAD) <= max(found[t].sentiment.score for t in CROSS):
        yield "a complaint is as positive as thanks"
    if not any(entity.text == "Marseille" for entity in found[PLACE].entities):
        yield f"no place found: {PLACE}"
    yield from (f"not read as French: {text}" for text, each in found.items() if each.lang != "fr")
