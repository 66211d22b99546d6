"""All findings on texts, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import replace
from importlib import metadata
from itertools import compress, count

from veille.domain.analysis import Analysis, Entity, Passage, Place, Topic, UrgencyLabel
from veille.domain.card import Card
from veille.domain.explanation import Explanation
from veille.domain.text import seen
from veille.nlp.addresses import addresses
from veille.nlp.card import card
from veille.nlp.communes import Communes
from veille.nlp.encoder import Encoded, Encoder
from veille.nlp.entities import EntityFinder
from veille.nlp.explain import UNREAD, Shares, explain, labels_of, shares
from veille.nlp.heads import NO_HOSTILITY, NO_INTENT, NO_SENTIMENT, NO_URGENCY, Heads
from veille.nlp.language import UNDETERMINED, Languages
from veille.nlp.manifest import Manifest
from veille.nlp.prepare import TEXT_LIMIT, for_encoder, legible
from veille.nlp.topics import Topics
from veille.nlp.unseen import restored

CARD_VERSION = "card.fr.v1"
_SENTENCE_ENDS = frozenset({"", *".!?…"})


class Analyst:
    """Say what each text says: the same of a text whatever its neighbours, order or thread."""

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        *,
        entities: EntityFinder,
        languages: Languages,
        communes: Communes,
        topics: Topics | None = None,
    ) -> None:
        self.manifest = manifest
        self._encoder = encoder
        self._entities = entities
        self._languages = languages
        self._communes = communes
        self._topics = topics
        self._heads = Heads(manifest)
        self._analyzers = versions(manifest, entities, communes, topics)

    def analyze(self, passages: Sequence[Passage]) -> list[Analysis]:
        """Return the analysis of each passage, in order; any string is a text, the empty one too.

        What nobody sees in a text (zero width, bidi) is not read; offsets are the text's own. A
        text without letter or emoji is neutral and normal; the network does not read it.
        """
        shown = [replace(passage, text=seen(passage.text)) for passage in passages]
        texts = [passage.text for passage in shown]
        prepared = [for_encoder(text) for text in texts]
        read = [legible(text) for text in prepared]
        pending = self._encoder.submit(list(compress(prepared, read)))
        # while the encoder's threads work
        entities = self._entities.find(texts)
        places = [
            self._places(passage, named) if known else ()
            for passage, named, known in zip(shown, entities, read, strict=True)
        ]
        found = [_unread(named, self._analyzers) for named in entities]
        waiting = dict(zip(pending, compress(count(), read), strict=True))
        for done in as_completed(waiting):
            at = waiting[done]
            found[at] = self._analysis(shown[at], done.result(), entities[at], places[at])
        return [restored(*parts) for parts in zip(found, (p.text for p in passages), strict=True)]

    def explain(self, passage: Passage) -> tuple[Explanation, ...]:
        """Return which words carried each label; seconds of work, for one text on demand.

        Offsets are the passage's own; a head that abstained is left out.
        """
        (found,) = self.analyze([passage])
        reach = self._encoder.reach(for_encoder(passage.text))
        return explain(passage.text, labels_of(found), self._shares, reach=reach)

    @property
    def encoder(self) -> Encoder:
        """The network, for those who need its outputs before calibration."""
        return self._encoder

    def close(self) -> None:
        """Stop the threads; the analyst is not used again."""
        self._encoder.close()

    def _places(self, passage: Passage, entities: tuple[Entity, ...]) -> tuple[Place, ...]:
        text = passage.text[:TEXT_LIMIT]
        return self._communes.resolve(text, entities, territory=passage.territory)

    def _analysis(
        self,
        passage: Passage,
        encoded: Encoded,
        entities: tuple[Entity, ...],
        places: tuple[Place, ...],
    ) -> Analysis:
        heads, logits, text = self._heads, encoded.logits, passage.text
        urgency = heads.urgency(logits)
        is_urgent = urgency.label is UrgencyLabel.URGENT
        return Analysis(
            lang=self._languages.detect(text),
            sentiment=heads.sentiment(logits),
            crisis=heads.score("crisis", logits),
            urgency=urgency,
            hostility=heads.hostility(logits),
            toxicity=heads.score("toxicity", logits),
            intent=heads.intent(logits),
            topics=self._topics_of(text, encoded),
            entities=entities,
            places=places,
            card=_card(passage, places, entities) if is_urgent else None,
            analyzers=self._analyzers,
        )

    def _shares(self, texts: Sequence[str]) -> list[Shares]:
        prepared = [for_encoder(text) for text in texts]
        read = [legible(text) for text in prepared]
        encoded = iter(self._encoder.encode(list(compress(prepared, read))))
        return [
            self._shares_of(text, next(encoded)) if known else UNREAD
            for text, known in zip(texts, read, strict=True)
        ]

    def _shares_of(self, text: str, encoded: Encoded) -> Shares:
        topics = {topic.id: topic.score for topic in self._topics_of(text, encoded)}
        return shares(self._heads, encoded.logits, topics)

    def _topics_of(self, text: str, encoded: Encoded) -> tuple[Topic, ...]:
        if self._topics is None:
            return ()
        return self._topics.find(text, encoded.vector, self._heads.shares("topic", encoded.logits))


def _unread(entities: tuple[Entity, ...], analyzers: Mapping[str, str]) -> Analysis:
    """Return the analysis of a text that the network does not read."""
    return Analysis(
        lang=UNDETERMINED,
        sentiment=NO_SENTIMENT,
        crisis=0.0,
        urgency=NO_URGENCY,
        hostility=NO_HOSTILITY,
        intent=NO_INTENT,
        entities=entities,
        analyzers=analyzers,
    )


def _card(passage: Passage, places: Sequence[Place], entities: Sequence[Entity]) -> Card:
    """Return the card; what only the entity recogniser calls a place comes last."""
    named = [entity for entity in entities if _is_spot(passage.text, entity)]
    return card(
        passage.text,
        addresses=addresses(passage.text),
        places=[*places, *named],
        media=passage.has_media,
        at=passage.at,
    )


def _is_spot(text: str, entity: Entity) -> bool:
    """Tell whether a place of the recogniser's is one: it takes many a first word for a name.

    In the project's 1,345 urgent sentences it did so 51 times at the start, once rightly.
    """
    before = text[: entity.start].rstrip()[-1:]
    is_first = before in _SENTENCE_ENDS
    return entity.label == "LOC" and entity.text[0].isupper() and not is_first


def versions(
    manifest: Manifest, entities: EntityFinder, communes: Communes, topics: Topics | None
) -> Mapping[str, str]:
    """Return the version of each analyzer; the heads share one network."""
    network = f"{manifest.name}-{manifest.version}"
    heads = ("sentiment", "crisis", "urgency", "hostility", "toxicity", "intent")
    return {
        **dict.fromkeys(heads, network),
        "entities": entities.version,
        "places": communes.version,
        "card": CARD_VERSION,
        "language": f"py3langid-{metadata.version('py3langid')}",
        **({} if topics is None else {"topics": topics.version}),
    }
