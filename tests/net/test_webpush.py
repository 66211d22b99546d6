"""Web Push: the example of the RFC to the byte, real browsers' keys, nothing leaked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from servers.push import Handset, PushService, raw, text
from veille.domain.errors import ConfigError, InputError
from veille.net import webpush
from veille.net.webpush import Subscription

NOW = datetime(2026, 1, 18, 1, 14, tzinfo=UTC)
HOSTS = ("push.example", "*.notify.example")

# RFC 8291, appendix A
PLAIN = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BROWSER = Subscription(
    endpoint="https://push.example/one",
    p256dh="BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth="BTBZMqHH6r4Tts7J_aSIgg",
)
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6T"
    "lzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4"
    "a-fN"
)


def test_the_example_of_the_rfc_is_reproduced_to_the_byte() -> None:
    body = webpush.encrypt(PLAIN, BROWSER, padded=0, salt=raw(SALT), sender=SENDER)
    assert text(body) == BODY


@given(st.binary(max_size=webpush.MOST_BYTES))
def test_what_is_sent_is_what_the_browser_reads_and_services_take_it(payload: bytes) -> None:
    handset = Handset(endpoint="https://push.example/one")
    body = webpush.encrypt(payload, Subscription(**handset.fields))
    assert len(body) <= 4096
    assert handset.decrypt(body) == payload


def test_short_messages_all_have_one_length() -> None:
    lengths = {len(webpush.encrypt(b"x" * n, BROWSER)) for n in (0, 1, 200, webpush.PADDED_BYTES)}
    assert len(lengths) == 1


def test_no_two_messages_are_alike() -> None:
    assert webpush.encrypt(b"x", BROWSER) != webpush.encrypt(b"x", BROWSER)


def test_a_payload_that_no_service_takes_is_refused() -> None:
    with pytest.raises(InputError):
        webpush.encrypt(b"x" * (webpush.MOST_BYTES + 1), BROWSER)


def test_the_sender_signs_for_one_service_and_half_a_day() -> None:
    key = webpush.new_key()
    endpoint = "https://push.example/secret-part?and=more"
    header = webpush.authorization(key, endpoint, contact="mailto:dsi@mairie.example", now=NOW)
    claims = PushService()._verified(header)
    assert claims == {
        "aud": "https://push.example",
        "exp": int((NOW + timedelta(hours=12)).timestamp()),
        "sub": "mailto:dsi@mairie.example",
    }
    assert header.endswith(f", k={webpush.public_key(key)}")


def test_a_key_is_32_bytes_of_its_own() -> None:
    keys = {webpush.new_key() for _ in range(5)}
    assert {len(raw(key)) for key in keys} == {32}
    assert {len(raw(webpush.public_key(key))) for key in keys} == {65}


@pytest.mark.parametrize("secret", ["", "court", "é" * 43, "A" * 43, "_" * 43, "x" * 44])
def test_a_secret_that_is_no_key_says_how_to_make_one_and_is_not_quoted(secret: str) -> None:
    with pytest.raises(ConfigError, match="veille push keys") as caught:
        webpush.public_key(secret)
    assert not secret or secret not in str(caught.value)


def given_by(endpoint: str = "https://push.example/x", **keys: str) -> Subscription:
    values = {"p256dh": BROWSER.p256dh, "auth": BROWSER.auth, **keys}
    return Subscription(endpoint=endpoint, **values)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://push.example/x",
        "https://PUSH.example./x",
        "https://push.example:8443/x",
        "https://db5.notify.example/w/?token=abc",
    ],
)
def test_a_browser_of_a_listed_service_is_taken(endpoint: str) -> None:
    assert webpush.check(given_by(endpoint), hosts=HOSTS, allow_private=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "push.example/x",
        "ftp://push.example/x",
        "http://push.example/x",
        "https://other.example/x",
        "https://push.example.evil.example/x",
        "https://notify.example/x",
        "https://evilnotify.example/x",
        "https://push.example@evil.example/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://push.example/é",
        "https://push.example/" + "x" * 3000,
        "javascript:alert(1)",
    ],
)
def test_any_other_address_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError):
        webpush.check(given_by(endpoint), hosts=HOSTS, allow_private=False)


@pytest.mark.parametrize(
    "keys",
    [
        {"auth": ""},
        {"auth": "AAAA"},
        {"auth": "!" * 22},
        {"p256dh": ""},
        {"p256dh": "B" * 87},  # no point of the curve
        {"p256dh": text(b"\x02" + b"\x01" * 32)},
        {"p256dh": "\ud800"},
    ],
)
def test_keys_that_are_none_are_refused_before_anything_is_stored(keys: dict[str, str]) -> None:
    with pytest.raises(InputError):
        webpush.check(given_by(**keys), hosts=HOSTS, allow_private=False)


def test_nothing_of_a_subscription_shows_in_a_repr() -> None:
    assert repr(BROWSER) == "Subscription()"


def test_the_stand_in_decrypts_the_example_too() -> None:
    private = int.from_bytes(raw("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big")
    handset = Handset(
        endpoint="",
        private=ec.derive_private_key(private, ec.SECP256R1()),
        secret=raw(BROWSER.auth),
    )
    assert handset.decrypt(raw(BODY)) == PLAIN
