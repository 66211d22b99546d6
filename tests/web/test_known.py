"""Passwords that lists hold, or that are put together from what they hold, are refused."""

from __future__ import annotations

import hashlib
import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.web.known import DIGEST_BYTES, digest, is_listed, is_plain, reduced
from veille.web.passwords import one_time_password, weakness

LISTS = resources.files("veille.web") / "wordlists"


def refused(password: str) -> str | None:
    return weakness(password, name="Camille Dupont", institution="Ville de Saint-Aubin")


@pytest.mark.parametrize(
    "password",
    [
        "azerty123", "motdepasse", "Password1", "qwertyuiop", "iloveyou", "MotDePasse", "123456789",
        "Marseille13", "marseille2024", "psg", "m0td3p4sse",
    ],
)  # fmt: skip
def test_what_everybody_chooses_is_listed_or_plain(password: str) -> None:
    assert is_listed(password) or is_plain(password, names=())
    assert refused(password)


@pytest.mark.parametrize(
    "password",
    [
        "azerty123azerty", "motdepasse2026", "MotDePasse!2026", "m0tdepasse!!!", "Saint-Aubin2026",
        "saint aubin 39000", "Villedesaintaubin1", "Camille.Dupont75", "dupontcamille",
        "Marseille2024!", "Olympiquedemarseille13", "Clermont-Ferrand63", "Saint-Étienne-42!",
        "Bourg-en-Bresse01", "1234567890123", "azertyuiopqsd", "abcdefghijklmn", "aaaaaaaaaaaaaa",
        "abcabcabcabcabc", "LoireLoireLoire!", "liberteegalitefraternite", "Bonjour12345!!",
        "Mairie2026Mairie", "veille2026veille", "Décembre2026!!", "password1234", "!!!!!!!!!!!!!!",
        "jetaimedoudou", "AllezLesBleus98",
    ],
)  # fmt: skip
def test_long_ones_made_of_them_are_refused_too(password: str) -> None:
    assert refused(password) in {"known", "too_plain"}, password


@pytest.mark.parametrize(
    "password",
    [
        "cent canards sur la Loire", "une rivière en crue 1910", "correct horse battery staple",
        "kQ7-vz2-9pd-Lm", "neuf hérons sur la berge", "trottoir-lampadaire-pluie",
        "Xw9!pLr#2vTq8", "la boulangère ferme tard",
    ],
)  # fmt: skip
def test_a_phrase_or_noise_is_good(password: str) -> None:
    assert refused(password) is None


def test_one_time_passwords_are_never_refused() -> None:
    assert [p for p in (one_time_password() for _ in range(300)) if refused(p)] == []


@given(st.text(max_size=300))
def test_any_text_is_judged_without_failing(text: str) -> None:
    assert refused(text) in {None, "too_short", "too_long", "known", "too_plain"}


@given(st.text(alphabet="abcdefghjkmnpqrstuvwxyz23456789", min_size=14, max_size=40))
def test_case_and_punctuation_change_no_verdict(text: str) -> None:
    assert is_listed(text.upper() + "!") == is_listed(text)


def test_the_list_that_ships_is_the_one_its_card_describes() -> None:
    body = (LISTS / "known.bin").read_bytes()
    card = tomllib.loads((LISTS / "known.toml").read_text(encoding="utf-8"))
    digests = [body[at : at + DIGEST_BYTES] for at in range(0, len(body), DIGEST_BYTES)]
    assert hashlib.sha256(body).hexdigest() == card["sha256"]
    assert len(digests) == card["count"] > 70_000
    assert digests == sorted(set(digests))
    assert card["false_positive_one_in"] == 256**DIGEST_BYTES // len(digests)
    assert digest(reduced("Mot-de-passe")) in digests
    licences = (LISTS / "LICENSES.txt").read_text(encoding="utf-8")
    assert all(source in licences for source in ("Django", "zxcvbn", "Licence Ouverte"))
    assert b"azerty" not in body
