"""The parts of the house, built from a configuration: keys, matcher, model, rules, clients."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from veille.collectors.settings import kind_of
from veille.config import Loaded, packaged
from veille.domain.errors import RuleError
from veille.domain.promise import Promises
from veille.domain.query import Matcher
from veille.domain.search import Search, parse_search
from veille.domain.topic import TopicSpec
from veille.nlp import load as nlp
from veille.nlp.analyst import Analyst
from veille.nlp.settings import ModelSettings
from veille.pipeline.passages import Surroundings
from veille.privacy import seal
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.privacy.settings import PrivacySettings
from veille.rules.model import RuleSet
from veille.rules.parse import TOPICS_FILE, parse_rules, read_file, rule_files
from veille.rules.topics import parse_topics
from veille.web.links import link_key as derive_link_key
from veille.wording.receivers import Receiver
from veille.wording.receivers import source_names as names_of_sources

KEY_BYTES = 32


def load_analyst(loaded: Loaded | None, *, folder: Path | None = None) -> Analyst:
    """Return the model of the configuration, the shipped one without, or that of `folder`."""
    settings = model_settings(loaded, folder=folder)
    return nlp.load_analyst(settings, topics=topics(loaded))


def surroundings(loaded: Loaded | None) -> Surroundings:
    """Return what the model is told around a text; without a configuration, of no territory."""
    if loaded is None:
        return Surroundings()
    return Surroundings.of(loaded.watches, zone=loaded.timezone)


def model_settings(loaded: Loaded | None, *, folder: Path | None = None) -> ModelSettings:
    """Return the settings of the models, paths resolved; with `folder`, of the model in there."""
    settings = ModelSettings() if loaded is None else loaded.config.models
    if loaded is not None:
        paths = {name: getattr(settings, name) for name in ("directory", "calibration", "encoder")}
        given = {name: str(loaded.resolve(path)) for name, path in paths.items() if path}
        settings = msgspec.structs.replace(settings, **given)
    if folder is None:
        return settings
    # a calibration is of one model only
    return msgspec.structs.replace(settings, directory=str(folder), encoder=None, calibration=None)


def rules_folder(loaded: Loaded | None) -> Path:
    """Return the folder the rules are read from."""
    if loaded is None or loaded.config.rules.directory is None:
        return packaged("rules")
    return loaded.resolve(loaded.config.rules.directory)


def rules(loaded: Loaded | None) -> RuleSet:
    """Return the rules of the configuration, or the shipped ones without."""
    files = rule_files(rules_folder(loaded))
    names = {} if loaded is None else source_names(loaded)
    return parse_rules(files, topics=[topic.id for topic in topics(loaded)], sources=names)


def topics(loaded: Loaded | None, *, beside: Path | None = None) -> tuple[TopicSpec, ...]:
    """Return the topics of the configuration, or the shipped ones without. Raises RuleError.

    A file of topics in the folder `beside` comes before the shipped one, and before that of the
    configuration unless it is set there.
    """
    path = topics_file(loaded)
    is_set = loaded is not None and loaded.config.models.topics is not None
    if beside is not None and not is_set and (own := beside / TOPICS_FILE).is_file():
        path = own
    try:
        return parse_topics(str(path), read_file(path))
    except OSError as error:
        raise RuleError(f"{path}: cannot read the topics: {error.strerror}") from error


def topics_file(loaded: Loaded | None) -> Path:
    """Return the file of topics: the one set, else that among the rules, else the shipped one."""
    if loaded is not None and loaded.config.models.topics is not None:
        return loaded.resolve(loaded.config.models.topics)
    path = rules_folder(loaded) / TOPICS_FILE
    return path if path.exists() else packaged("rules") / TOPICS_FILE


def matcher(loaded: Loaded) -> Matcher:
    """Return the matcher of all watches."""
    return Matcher(loaded.watches)


def protector(loaded: Loaded) -> Protector:
    """Return the masking step with the configured key.

    Without one, authors are dropped, nothing is sealed, and the keys of mentions come from a key
    file made in the data folder at the first start.
    """
    settings = loaded.config.privacy
    if settings.key in loaded.secrets:
        return build_protector(loaded.secrets(settings.key).encode(), settings)
    key = _own_key(loaded.resolve(loaded.config.veille.data_dir))
    return Protector(
        Pseudonyms(mention_key=key, author_key=None),
        sealing_key=None,
        keep=settings.kept(),
        nonce=partial(os.urandom, seal.NONCE_BYTES),
    )


def _own_key(folder: Path) -> bytes:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "mention.key"
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=folder)  # 0600
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
        with contextlib.suppress(FileExistsError):  # another process was first: its key stays
            os.link(draft, path)
        os.unlink(draft)
    return path.read_bytes()


def receivers(loaded: Loaded) -> list[Receiver]:
    """Return the receivers as people are told of them."""
    return [
        Receiver(id=one.id, kind=str(one.__struct_config__.tag), name=one.name)
        for one in loaded.config.receiver
    ]


def source_names(loaded: Loaded) -> Mapping[str, str]:
    """Return what people call each source, by id."""
    return names_of_sources({one.id: one.name for one in loaded.config.source})


def promises(loaded: Loaded) -> Promises:
    """Return what is promised to who writes, by source."""
    kinds = {source.id: kind_of(source) for source in loaded.config.source}
    return loaded.config.clock.promises(zone=loaded.timezone, region=loaded.region, kinds=kinds)


def link_key(loaded: Loaded) -> bytes:
    """Return the key of links in mails: of the pseudonym secret, or of the key in the data folder.

    Without either, whoever runs veille gets a new key file, as for mentions.
    """
    name = loaded.config.privacy.key
    if name in loaded.secrets:
        return derive_link_key(loaded.secrets(name).encode())
    return derive_link_key(_own_key(loaded.resolve(loaded.config.veille.data_dir)))


def searched(loaded: Loaded, query: str) -> Search:
    """Return the search that the query says, in the town's days and topics; QueryError."""
    names = {topic.id: topic.name for topic in topics(loaded)}
    return parse_search(query, zone=loaded.timezone, topics=names)


def access_key(loaded: Loaded) -> bytes:
    """Return the key of second factors, from the same secret as that of links."""
    name = loaded.config.privacy.key
    if name in loaded.secrets:
        return seal.access_key(loaded.secrets(name).encode())
    return seal.access_key(_own_key(loaded.resolve(loaded.config.veille.data_dir)))


def push_key(loaded: Loaded) -> bytes:
    """Return the key of devices' addresses, from the same secret as that of links."""
    name = loaded.config.privacy.key
    if name in loaded.secrets:
        return seal.push_key(loaded.secrets(name).encode())
    return seal.push_key(_own_key(loaded.resolve(loaded.config.veille.data_dir)))


def build_protector(secret: bytes, settings: PrivacySettings) -> Protector:
    """Return the masking step; one secret gives the pseudonym keys and the sealing key.

    ConfigError when it is shorter than 16 bytes: short keys can be tried out.
    """
    return Protector(
        Pseudonyms(mention_key=secret, author_key=secret),
        sealing_key=seal.sealing_key(secret),
        keep=settings.kept(),
        nonce=partial(os.urandom, seal.NONCE_BYTES),
    )


def sealing_key(loaded: Loaded) -> bytes | None:
    """Return the key that unmasked originals are encrypted with; None when nothing is sealed."""
    name = loaded.config.privacy.key
    return seal.sealing_key(loaded.secrets(name).encode()) if name in loaded.secrets else None
