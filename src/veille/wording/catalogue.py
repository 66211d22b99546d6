"""Message catalogues: `messages/<language>/<area>.toml`, French by default."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from veille.domain.errors import ConfigError
from veille.wording.spaces import no_breaks

LANGUAGES = ("fr", "en")
_PLAIN = ("queue.template.", "start.config.")
"""What people go on writing, in an answer or in config.toml: typed with plain spaces."""


class Catalogue:
    """The sentences of one language, by `area.key`."""

    def __init__(self, language: str, messages: Mapping[str, str]) -> None:
        self.language = language
        self.messages = messages

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence of `area.key` with its `{names}` filled in; KeyError if unknown."""
        return self.messages[key].format(**values)

    def count(self, key: str, number: float, **values: object) -> str:
        """Return `key.one` or `key.other` as the language counts `number` (French: 0 is one).

        `{count}` is the number, unless `values` says how it is written.
        """
        is_one = number < 2 if self.language == "fr" else number == 1  # noqa: PLR2004 CLDR plurals
        return self(f"{key}.{'one' if is_one else 'other'}", **({"count": number} | values))


def _flatten(prefix: str, table: Mapping[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, Mapping):
            flat |= _flatten(key, value)
        else:
            flat[key] = str(value)
    return flat


@cache
def catalogue(language: str) -> Catalogue:
    """Return the catalogue of `fr` or `en`; ConfigError for another language."""
    if language not in LANGUAGES:
        raise ConfigError(
            f'language "{language}" is not known: write one of {", ".join(LANGUAGES)}'
        )
    messages: dict[str, str] = {}
    folder = resources.files("veille.wording") / "messages" / language
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            table = tomllib.loads(file.read_text(encoding="utf-8"))
            messages |= _flatten(file.name.removesuffix(".toml"), table)
    if language == "fr":
        messages |= {
            key: no_breaks(text) for key, text in messages.items() if not key.startswith(_PLAIN)
        }
    return Catalogue(language, messages)
