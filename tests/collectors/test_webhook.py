"""Webhooks: authentic, fresh, bounded; then mentions."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.collectors.webhook import MAX_BODY_BYTES, parse, verify
from veille.domain.errors import ConfigError, IntakeRefused
from veille.net.signature import decode_secret, sign

NOW = datetime(2026, 1, 18, 2, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()
BODY = b'{"id":"1"}'


def mention(id_: str) -> dict[str, str]:
    return {"id": id_, "text": "eau", "created_at": "2026-01-18T02:00:00Z", "source": "bluesky"}


def refused(headers: dict[str, str], body: bytes = BODY, now: datetime = NOW) -> int:
    with pytest.raises(IntakeRefused) as caught:
        verify(SECRET, headers, body, now)
    return caught.value.status


def test_a_signature_of_the_specification_is_accepted() -> None:
    # computed with openssl: printf 'msg_1.1768701600.{}' | openssl dgst -sha256 -mac HMAC …
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1768701600",
        "webhook-signature": "v1,JOSISSyDTB+z1x/MTdyzeHUGK03ZiPpmPnHasitY7s4=",
    }
    assert verify(SECRET, headers, b"{}", NOW) == "msg_1"


def test_what_sign_signs_verify_accepts_with_headers_in_any_case() -> None:
    headers = {name.title(): value for name, value in sign(SECRET, "m", NOW, BODY).items()}
    assert verify(SECRET, headers, BODY, NOW) == "m"


def test_one_good_signature_among_several_is_enough() -> None:
    headers = sign(SECRET, "m", NOW, BODY)
    good = headers["webhook-signature"]
    bad = sign(OTHER, "m", NOW, BODY)["webhook-signature"]
    headers["webhook-signature"] = f"v1a,xx {bad} {good}"
    assert verify(SECRET, headers, BODY, NOW) == "m"
    headers["webhook-signature"] = f"{bad} {good.replace('v1,', 'v2,')}"
    assert refused(headers) == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_required_and_covered(name: str) -> None:
    headers = sign(SECRET, "m", NOW, BODY)
    assert refused(headers | {name: ""}) == 401
    assert refused({k: v for k, v in headers.items() if k != name}) == 401
    other = sign(SECRET, "n", NOW + timedelta(seconds=1), BODY + b" ")
    assert refused(headers | {name: other[name]}) == 401


def test_another_body_or_secret_is_refused() -> None:
    assert refused(sign(SECRET, "m", NOW, BODY), BODY + b" ") == 401
    assert refused(sign(OTHER, "m", NOW, BODY)) == 401


@pytest.mark.parametrize(
    ("minutes", "is_good"), [(5, True), (-5, True), (5.1, False), (-5.1, False)]
)
def test_clocks_may_differ_by_five_minutes(minutes: float, is_good: bool) -> None:
    headers = sign(SECRET, "m", NOW + timedelta(minutes=minutes), BODY)
    if is_good:
        assert verify(SECRET, headers, BODY, NOW) == "m"
    else:
        assert refused(headers) == 401


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", SECRET[6:], "whsec_AAAA"])
def test_a_bad_secret_is_a_configuration_error_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_secret(secret)
    assert len(secret) < 7 or secret not in str(caught.value)


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(max_size=20),
    )
)
def test_any_headers_are_refused_with_401(headers: dict[str, str]) -> None:
    assert refused(headers) == 401


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([mention("1"), mention("2")]).encode(),
        json.dumps([mention("1"), mention("2")], indent=2).encode(),
        b"\n".join(json.dumps(mention(i)).encode() for i in "12") + b"\n",
        b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(mention(i)).encode() for i in "12"),
    ],
)
def test_arrays_and_json_lines_hold_several_mentions_of_this_source(body: bytes) -> None:
    batch = parse(body, "formulaire")
    assert [(m.source, m.id) for m in batch.mentions] == [
        ("formulaire", "bluesky/1"),
        ("formulaire", "bluesky/2"),
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_object_is_one_mention_however_it_is_laid_out(indent: int | None) -> None:
    batch = parse(json.dumps(mention("1"), indent=indent).encode(), "formulaire")
    assert [m.id for m in batch.mentions] == ["bluesky/1"]


def test_a_bad_element_stops_no_other_even_beside_a_lone_surrogate() -> None:
    hurt = json.dumps(mention("1") | {"text": "\ud83d eau"})
    batch = parse(f"[{hurt}, 5, {json.dumps(mention('2'))}]".encode(), "formulaire")
    assert [(m.id, m.text) for m in batch.mentions] == [
        ("bluesky/1", "\ufffd eau"),
        ("bluesky/2", "eau"),
    ]
    assert [r.line for r in batch.rejected] == [2]


def test_nothing_gives_nothing() -> None:
    assert parse(b"", "s").mentions == ()
    assert parse(b"[]", "s").mentions == ()


@pytest.mark.parametrize("body", [b"x" * (MAX_BODY_BYTES + 1), b"[" + b"1," * 10_000 + b"1]"])
def test_too_much_at_once_is_413(body: bytes) -> None:
    with pytest.raises(IntakeRefused) as caught:
        parse(body, "s")
    assert caught.value.status == 413


@given(st.binary(max_size=80) | st.text(alphabet='[]{},"\\ud8\n', max_size=40).map(str.encode))
def test_any_body_is_read_or_rejected_line_by_line(body: bytes) -> None:
    assert parse(body, "s").mentions == ()
