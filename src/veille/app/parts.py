"""The parts of the house, built from a configuration: keys, matcher, model, rules, clients."""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import partial
from pathlib import Path

import msgspec

from veille.config import Loaded, packaged
from veille.domain.query import Matcher
from veille.nlp import load as nlp
from veille.nlp.analyst import Analyst
from veille.nlp.settings import ModelSettings
from veille.privacy import seal
from veille.privacy.protect import Protector
from veille.privacy.pseudonym import Pseudonyms
from veille.privacy.settings import PrivacySettings
from veille.rules.model import RuleSet
from veille.rules.parse import parse_rules, rule_files

KEY_BYTES = 32


def load_analyst(loaded: Loaded | None) -> Analyst:
    """Return the model of the configuration, or the shipped one without."""
    settings = ModelSettings()
    if loaded is not None:
        settings = loaded.config.models
        if settings.directory is not None:
            folder = str(loaded.resolve(settings.directory))
            settings = msgspec.structs.replace(settings, directory=folder)
    return nlp.load_analyst(settings)


def rules_folder(loaded: Loaded | None) -> Path:
    """Return the folder the rules are read from."""
    if loaded is None or loaded.config.rules.directory is None:
        return packaged("rules")
    return loaded.resolve(loaded.config.rules.directory)


def rules(loaded: Loaded | None) -> RuleSet:
    """Return the rules of the configuration, or the shipped ones without."""
    return parse_rules(rule_files(rules_folder(loaded)))


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
