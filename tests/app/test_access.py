"""The identity provider and the key of second factors, as the daemon builds them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from servers.oidc import identity_provider
from veille.app import access, parts
from veille.app.machine import State
from veille.config import load
from veille.domain.clock import utc_now
from veille.domain.errors import ConfigError
from veille.wording.catalogue import catalogue

CONFIG = '[veille]\nname = "Saint-Aubin"\n[[watch]]\nid = "mairie"\n'
OIDC = '[oidc]\nissuer = "https://auth.example"\nclient_id = "x"\nclient_secret = "OIDC"\n'


def config(folder: Path, *, more: str = "", secrets: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG + more, encoding="utf-8")
    file = folder / "secrets.toml"
    file.write_text(secrets, encoding="utf-8")
    file.chmod(0o600)
    return path


async def test_a_provider_is_built_where_one_is_named_and_asked_nothing_yet(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        assert await access.provider(load(config(tmp_path)), stack, now=utc_now) is None
        with pytest.raises(ConfigError, match='secret "OIDC" is missing'):
            await access.provider(load(config(tmp_path, more=OIDC)), stack, now=utc_now)
        loaded = load(config(tmp_path, more=OIDC, secrets='OIDC = "s3cret"\n'))
        found = await access.provider(loaded, stack, now=utc_now)
        assert found is not None
        assert found.name == "ProConnect"
        assert "s3cret" not in repr(loaded)


def test_the_key_of_second_factors_is_kept_and_is_no_other_key(tmp_path: Path) -> None:
    without = load(config(tmp_path))
    assert len(parts.access_key(without)) == 32
    assert parts.access_key(without) == parts.access_key(load(config(tmp_path)))
    loaded = load(config(tmp_path, secrets='PSEUDONYM_KEY = "0123456789abcdef0123"\n'))
    keys = {parts.access_key(without), parts.access_key(loaded), parts.link_key(loaded)}
    sealing = parts.sealing_key(loaded)
    assert sealing is not None
    assert len(keys | {sealing}) == 4


async def test_the_doctor_asks_the_provider_what_a_login_would(tmp_path: Path) -> None:
    say, secrets = catalogue("fr"), 'OIDC = "s3cret"\n'
    assert await access.check(load(config(tmp_path)), say) is None
    lacking = await access.check(load(config(tmp_path, more=OIDC)), say)
    assert lacking is not None
    assert 'secret "OIDC" is missing' in lacking.text
    async with identity_provider(utc_now) as idp:
        named = OIDC.replace("https://auth.example", idp.url) + "allow_private = true\n"
        fine = await access.check(load(config(tmp_path, more=named, secrets=secrets)), say)
        assert fine is not None
        assert fine.state is State.FINE
        assert fine.text.endswith("clés publiées\u00a0: 2")
        slashed = named.replace(idp.url, f"{idp.url}/")
        other = await access.check(load(config(tmp_path, more=slashed, secrets=secrets)), say)
        assert other is not None
        assert "calls itself otherwise than oidc.issuer" in other.text
        assert "à la lettre" in other.remedy
        idp.is_up = False
        down = await access.check(load(config(tmp_path, more=named, secrets=secrets)), say)
        assert down is not None
        assert "answers 503" in down.text
        assert down.state is State.PROBLEM
