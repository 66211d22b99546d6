"""Which language a text is written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# Those read in France: more choices only add mistakes on short texts.
LANGUAGES = (
    "ar",
    "br",
    "ca",
    "de",
    "en",
    "es",
    "eu",
    "fr",
    "it",
    "nl",
    "oc",
    "pl",
    "pt",
    "ro",
    "tr",
)
HOME = "fr"
UNDETERMINED = "und"  # ISO 639-2, for texts without letters
LETTERS_NEEDED = 20  # shorter texts are taken for French: the detector guesses under this length
TRUST = 0.7  # the least probability at which another language than French is believed
READ = 300  # characters: enough to tell, and the detector walks them one by one


class Languages:
    """A language detector that prefers French when it does not know."""

    def __init__(self, identifier: LanguageIdentifier) -> None:
        self._identifier = identifier

    def detect(self, text: str) -> str:
        """Return an ISO 639-1 code, or `und` for a text without letters."""
        letters = [c if c.isalpha() else " " for c in text[:READ] if not "\ud800" <= c <= "\udfff"]
        words = " ".join("".join(letters).split())
        if not words:
            return UNDETERMINED
        language, trust = self._identifier.classify(words)
        if (len(words) < LETTERS_NEEDED and words.isascii()) or trust < TRUST:
            return HOME
        return str(language)


def load_languages() -> Languages:
    """Return a detector of its own, so that no other user of the library restricts it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # heavy (numpy)

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return Languages(identifier)
