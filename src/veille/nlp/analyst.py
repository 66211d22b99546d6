"""All findings on texts, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from itertools import compress

from veille.domain.analysis import Analysis, Entity
from veille.nlp.encoder import Encoded, Encoder
from veille.nlp.entities import EntityFinder
from veille.nlp.heads import NO_SENTIMENT, NO_URGENCY, crisis_of, sentiment_of, urgency_of
from veille.nlp.language import UNDETERMINED, Languages
from veille.nlp.manifest import Manifest
from veille.nlp.prepare import for_encoder, legible


class Analyst:
    """Say what each text says: the same of a text whatever its neighbours, order or thread."""

    def __init__(
        self, manifest: Manifest, encoder: Encoder, entities: EntityFinder, languages: Languages
    ) -> None:
        self.manifest = manifest
        self._encoder = encoder
        self._entities = entities
        self._languages = languages
        self._analyzers = versions(manifest, entities)

    def analyze(self, texts: Sequence[str]) -> list[Analysis]:
        """Return the analysis of each text, in order; any string is a text, the empty one too.

        A text without letter or emoji is neutral and normal; the network does not read it.
        """
        prepared = [for_encoder(text) for text in texts]
        read = [legible(text) for text in prepared]
        pending = iter(self._encoder.submit(list(compress(prepared, read))))
        entities = self._entities.find(texts)  # while the encoder's threads work
        encoded = [next(pending).result() if known else None for known in read]
        return [self._analysis(*parts) for parts in zip(texts, encoded, entities, strict=True)]

    def close(self) -> None:
        """Stop the threads; the analyst is not used again."""
        self._encoder.close()

    def _analysis(
        self, text: str, encoded: Encoded | None, entities: tuple[Entity, ...]
    ) -> Analysis:
        if encoded is None:
            return Analysis(
                lang=UNDETERMINED,
                sentiment=NO_SENTIMENT,
                crisis=0.0,
                urgency=NO_URGENCY,
                entities=entities,
                analyzers=self._analyzers,
            )
        calibration = self.manifest.calibration
        return Analysis(
            lang=self._languages.detect(text),
            sentiment=sentiment_of(encoded.logits, calibration),
            crisis=crisis_of(encoded.logits, calibration),
            urgency=urgency_of(encoded.logits, calibration),
            entities=entities,
            analyzers=self._analyzers,
        )


def versions(manifest: Manifest, entities: EntityFinder) -> Mapping[str, str]:
    """Return the version of each analyzer; the three heads share one network."""
    network = f"{manifest.name}-{manifest.version}"
    return {
        "sentiment": network,
        "crisis": network,
        "urgency": network,
        "entities": entities.version,
        "language": f"py3langid-{metadata.version('py3langid')}",
    }
