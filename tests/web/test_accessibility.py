"""The declaration of accessibility, and forms that say which field they refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from veille.web import accessibility_page
from veille.web.more_page import KEYS
from veille.web.settings import WebSettings
from veille.web.site import SITE

# Fixtures come from conftest.py; importmode=importlib keeps it from being imported by name.
Browser = Any
Town = Any
SOURCE = Path(accessibility_page.__file__).parent
DOCS = SOURCE.parents[2] / "docs"


def settings(**said: str) -> WebSettings:
    return msgspec.convert({"accessibility": said}, WebSettings)


async def test_every_page_leads_to_the_declaration_and_a_stranger_may_read_it(
    town: Town, stranger: Browser
) -> None:
    for path in ("/login", "/offline", "/nothing-here"):
        page = await stranger.get(path)
        assert 'href="/accessibility">Accessibilité : non conforme</a>' in page.text, path
    page = await stranger.get("/accessibility")
    assert page.status == 200
    assert "Aucun audit sur les 106 critères" in page.text
    assert "Défenseur des droits" in page.text
    assert "la personne qui administre veille à Saint-Aubin" in page.text
    assert "<nav" not in page.text
    await stranger.sign_in("Dominique")
    assert 'href="/sources"' in (await stranger.get("/accessibility")).text


async def test_the_declaration_says_what_was_audited_and_who_answers(
    town: Town, stranger: Browser
) -> None:
    said = settings(
        conformity="partial",
        audit="Audit de janvier 2027 : 71 % <b>",
        contact="mailto:acces@mairie.example",
    )
    town.app._state[SITE] = replace(town.app[SITE], settings=said)
    page = (await stranger.get("/accessibility")).text
    assert page.count("Accessibilité : partiellement conforme") == 2
    assert "Audit de janvier 2027 : 71 % &lt;b&gt;" in page
    assert 'href="mailto:acces@mairie.example">acces@mairie.example</a>' in page
    assert "Aucun audit" not in page


@pytest.mark.parametrize(
    "said",
    [
        {"conformity": "full"},
        {"conformity": "partial", "audit": " "},
        {"conformity": "good"},
        {"contact": "javascript:alert(1)"},
        {"contact": "mailto:x"},
    ],
)
def test_a_conformity_that_nobody_measured_and_a_wrong_contact_are_refused(
    said: dict[str, str],
) -> None:
    with pytest.raises(msgspec.ValidationError, match="accessibility"):
        settings(**said)


def test_what_the_page_owns_to_is_in_the_documentation() -> None:
    written = (DOCS / "accessibility.md").read_text(encoding="utf-8")
    for name in accessibility_page.LACKS:
        assert f"`{name}`" in written


def test_every_key_that_a_page_bears_is_explained() -> None:
    borne: set[str] = set()
    for template in (SOURCE / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        borne |= set(re.findall(r'data-key="([^"{]+)"', text))
        for leads in re.findall(r'data-go="([^"]+)"', text):
            borne |= {each[0] for each in leads.split()}
    known = [key for key, _ in KEYS]
    assert borne <= set(known)
    assert len(known) == len(set(known))


@pytest.mark.parametrize(
    ("page", "action", "fields", "field"),
    [
        ("/account", "/account/password", {"current": "x"}, "current"),
        (
            "/account",
            "/account/password",
            {"current": "une rivière en crue 1910", "new": "court", "again": "court"},
            "new",
        ),
        ("/silences", "/silences/preview", {"match": "watch=a", "reason": " "}, "reason"),
        ("/account/tokens", "/account/tokens/add", {"name": "Tableau", "days": "0"}, "days"),
        ("/account/factor", "/account/factor/propose", {"current": "x"}, "current"),
    ],
)
async def test_a_refused_form_names_its_field(
    town: Town, sacha: Browser, page: str, action: str, fields: dict[str, str], field: str
) -> None:
    refused = await sacha.submit(await sacha.get(page), action, **fields)
    assert refused.status == 400
    assert "<title>Erreur · " in refused.text
    assert 'id="problem" class="notice bad" role="alert" tabindex="-1" autofocus' in refused.text
    (said,) = re.findall(rf'<(?:input|select|textarea) id="{field}"[^>]*>', refused.text)
    assert 'aria-invalid="true" aria-describedby="problem' in said


async def test_a_token_that_was_refused_is_not_typed_again(town: Town, sacha: Browser) -> None:
    page = await sacha.get("/account/tokens")
    asked = {"name": "Tableau <b>", "days": "400", "scope-act": "1"}
    refused = await sacha.submit(page, "/account/tokens/add", **asked)
    assert 'value="Tableau &lt;b&gt;"' in refused.text
    assert 'value="400"' in refused.text
    assert 'name="scope-act" value="1" checked' in refused.text
    assert 'name="scope-read" value="1">' in refused.text


async def test_a_wrong_login_is_about_both_fields(town: Town, stranger: Browser) -> None:
    refused = await stranger.sign_in("Camille", "faux")
    assert refused.text.count('aria-invalid="true"') == 2
