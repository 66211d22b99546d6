from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from servers.plain import plain
from veille.demo.mail import Mail, MailStandIn
from veille.domain.errors import DeliveryError, SourceError
from veille.domain.incident import IncidentState
from veille.domain.notification import Facts, Notification, NotificationKind, Quote
from veille.notifiers.base import Tools
from veille.notifiers.email import EmailNotifier
from veille.notifiers.settings import EmailReceiver

SNAPSHOTS = Path(__file__).parent / "snapshots"
HOSTILE = (
    '<script>alert(1)</script>\r\nBcc: victime@x.example\u202e\x00"><img src=x onerror=1> \ud800'
)

Note = Callable[..., Notification]
Flood = Callable[..., Facts]


def notifier(
    relay: MailStandIn, tools: Tools, *, context: ssl.SSLContext | None = None, **changes: Any
) -> EmailNotifier:
    values: dict[str, Any] = {
        "id": "courriel",
        "host": relay.host,
        "port": relay.port,
        "tls": "none",
        "sender": "veille@mairie.example",
        "to": ("astreinte@mairie.example",),
        "timeout": "5s",
        "allow_private": True,
    }
    return EmailNotifier(EmailReceiver(**(values | changes)), tools=tools, tls=context)


def shown(mail: Mail) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in mail.message.items())
    return f"{headers}\n{mail.body('plain')}\n=====\n{mail.body('html')}".replace("\r\n", "\n")


async def refusal(sending: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sending
    return caught.value


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_new_incident_reads_as_the_snapshot(
    relay: MailStandIn, tools: Tools, note: Note, voice: Any, language: str
) -> None:
    await notifier(relay, replace(tools, voice=voice(language))).send(note(), ref=None)
    expected = (SNAPSHOTS / f"mail_{language}.txt").read_text(encoding="utf-8")
    assert shown(relay.received()[0]) == expected


async def test_later_mails_are_threaded_under_the_first(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    sender = notifier(relay, tools)
    ref = await sender.send(note(), ref=None)
    done = flood(state=IncidentState.RESOLVED, actor="Camille")
    assert await sender.send(note(NotificationKind.RESOLVED, facts=done), ref=ref) == ref
    first, later = relay.received()
    assert first.message_id == ref["message_id"]
    assert first.message["References"] is None
    assert later.message["In-Reply-To"] == later.message["References"] == ref["message_id"]
    assert later.message_id != first.message_id
    assert later.message["Subject"].startswith("✓ Résolu · Inondation")
    assert later.body("plain").splitlines()[2] == "Résolu à 02:14 par Camille."


async def test_a_subject_that_is_folded_keeps_every_space(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    titles = [f"{'a' * n} ou un élu à l'école · été" for n in range(1, 40)]
    sender = notifier(relay, tools)
    for title in titles:
        await sender.send(note(facts=flood(title=title)), ref=None)
    for title, mail in zip(titles, relay.received(), strict=True):
        assert f" {title} " in mail.message["Subject"]
        assert all(len(line) <= 78 for line in mail.raw.split(b"\r\n\r\n")[0].splitlines())


async def test_an_update_says_when_its_incident_began_and_not_since_when_it_counts(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    later = flood(at=flood().opened_at + timedelta(hours=2))
    await notifier(relay, tools).send(note(NotificationKind.UPDATED, facts=later), ref=None)
    assert "· incident ouvert depuis 02:05" in relay.received()[0].body("plain")


async def test_grown_numbers_are_worth_no_other_mail(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    sender = notifier(relay, tools)
    ref = await sender.send(note(), ref=None)
    assert await sender.send(note(NotificationKind.REFRESHED), ref=ref) == ref
    assert len(relay.received()) == 1


async def test_every_try_of_a_notification_has_one_message_id(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    for _ in range(2):
        await notifier(relay, tools).send(note(), ref=None)
    one, same = relay.received()
    assert one.raw == same.raw
    assert one.message_id.startswith("<I12-opened-1.")
    assert one.message_id.endswith("@mairie.example>")


async def test_message_ids_differ_between_receivers_and_installations(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    await notifier(relay, tools).send(note(), ref=None)
    await notifier(relay, tools, id="presse").send(note(), ref=None)
    later = flood(opened_at=flood().opened_at + timedelta(days=200))
    await notifier(relay, tools).send(note(facts=later), ref=None)
    assert len(relay.mails_by_id()) == 3


@pytest.mark.parametrize("key", ["", "a b", "x\r\nBcc: y", "é", "a..b", "<>", "k" * 5000])
async def test_any_key_gives_a_valid_message_id(
    relay: MailStandIn, tools: Tools, note: Note, key: str
) -> None:
    sender = f"veille@{'a-long-name.' * 9}mairie.example"
    await notifier(relay, tools, sender=sender).send(note(key=key), ref=None)
    raw = relay.received()[0].raw.decode("ascii")
    line = next(line for line in raw.splitlines() if "@a-long-name" in line and "I12" in line)
    assert line.removeprefix("Message-ID:").strip().startswith("<I12-opened.")
    assert line.endswith("mairie.example>")


async def test_hostile_text_adds_no_header_and_no_markup(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    bad = flood(title=HOSTILE, rule=HOSTILE, annotations={"actions": HOSTILE}, assignee=HOSTILE)
    quote = Quote(text=HOSTILE, source="s", at=bad.at, lang='en" onload="x')
    await notifier(relay, tools).send(
        note(facts=bad, quotes=(quote,), places=(HOSTILE,), institution=HOSTILE),
        ref={"message_id": "<a@b>\r\nBcc: victime@x.example"},
    )
    mail = relay.received()[0]
    assert mail.recipients == ("astreinte@mairie.example",)
    assert mail.message["Bcc"] is None
    assert mail.message["References"] is None
    page = mail.body("html")
    assert "<script" not in page
    assert "<img" not in page
    assert 'onload="' not in page
    assert "\u202e" not in page + mail.body("plain")
    assert "⟨U+202E⟩" in page


async def test_a_text_of_sixty_thousand_characters_is_cut(
    relay: MailStandIn, tools: Tools, note: Note, flood: Flood
) -> None:
    long = "à l'aide 🆘 " * 6000
    facts = flood(title=long, rule=long, annotations={"actions": long})
    quotes = (Quote(text=long, source="s", at=facts.at),) * 9
    await notifier(relay, tools).send(note(facts=facts, quotes=quotes, institution=long), ref=None)
    mail = relay.received()[0]
    assert mail.body("plain").count("> à l'aide") == 3
    assert len(mail.raw) < 20_000
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998, "RFC 5322, 2.1.1"


async def test_a_receiver_without_quotes_gets_no_text_of_a_mention(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    await notifier(relay, tools, quotes=False).send(note(), ref=None)
    assert "coincée" not in shown(relay.received()[0])


async def test_the_mail_loads_nothing_from_outside(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    await notifier(relay, tools).send(note(), ref=None)
    page = relay.received()[0].body("html")
    assert page.count("http") == 1, "the button"
    assert 'href="https://veille.mairie.example/incidents/12"' in page
    assert "<table" not in page
    assert "src=" not in page


@pytest.mark.parametrize(("code", "may_retry"), [(451, True), (554, False)])
async def test_a_refused_mail_is_retried_when_it_may_pass(
    relay: MailStandIn, tools: Tools, note: Note, code: int, may_retry: bool
) -> None:
    relay.fail_next(code)
    error = await refusal(notifier(relay, tools).send(note(), ref=None))
    assert (error.may_retry, error.is_unknown) == (may_retry, False)
    assert str(code) in str(error)
    await notifier(relay, tools).send(note(), ref=None)
    assert len(relay.received()) == 1


async def test_one_refused_address_among_others_is_delivered_with_a_note(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    relay.refuse("partie@mairie.example", 550)
    to = ("astreinte@mairie.example", "partie@mairie.example")
    ref = await notifier(relay, tools, to=to).send(note(), ref=None)
    assert relay.received()[0].recipients == ("astreinte@mairie.example",)
    assert "1 adresse refusée" in plain(ref["note"])
    assert "partie@mairie.example (550)" in ref["note"]


@pytest.mark.parametrize(("codes", "may_retry"), [((550, 550), False), ((550, 450), True)])
async def test_all_addresses_refused_is_retried_when_one_may_pass(
    relay: MailStandIn, tools: Tools, note: Note, codes: tuple[int, int], may_retry: bool
) -> None:
    to = ("a@mairie.example", "b@mairie.example")
    for address, code in zip(to, codes, strict=True):
        relay.refuse(address, code)
    error = await refusal(notifier(relay, tools, to=to).send(note(), ref=None))
    assert error.may_retry is may_retry
    assert relay.received() == []


async def test_a_relay_down_is_known_not_to_have_taken_it_and_takes_it_later(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    await relay.go_down()
    error = await refusal(notifier(relay, tools).send(note(), ref=None))
    assert (error.may_retry, error.is_unknown) == (True, False)
    await relay.come_back()
    await notifier(relay, tools).send(note(), ref=None)
    assert len(relay.received()) == 1


async def test_a_lost_answer_is_unknown(relay: MailStandIn, tools: Tools, note: Note) -> None:
    relay.lose_answers()
    error = await refusal(notifier(relay, tools, timeout="1s").send(note(), ref=None))
    assert (error.may_retry, error.is_unknown) == (True, True)
    await notifier(relay, tools).send(note(), ref=None)
    assert list(relay.mails_by_id().values()) == [2], "the repeat has the same Message-ID"


async def test_the_host_is_checked_before_connecting(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    asked = []

    async def forbid(host: str, port: int, *, allow_private: bool) -> None:
        asked.append((host, port, allow_private))
        raise SourceError(f"{host} is private: add allow_private = true", may_retry=False)

    error = await refusal(notifier(relay, replace(tools, check_host=forbid)).send(note(), ref=None))
    assert asked == [(relay.host, relay.port, True)]
    assert not error.may_retry
    assert "allow_private = true" in str(error)
    assert relay.received() == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    signed = builder.sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def server_tls(certificate: Path) -> Iterator[ssl.SSLContext]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_login_goes_over_tls(
    tools: Tools, note: Note, server_tls: ssl.SSLContext, certificate: Path, tls: str
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    implicit = tls == "tls"
    async with MailStandIn(
        tls=server_tls, is_implicit=implicit, login=("veille", "a secret")
    ) as relay:
        common = {"host": "localhost", "tls": tls, "user": "veille", "context": trusted}
        await notifier(relay, tools, password="SMTP", **common).send(note(), ref=None)
        assert len(relay.received()) == 1
        error = await refusal(
            notifier(relay, tools, password="WRONG", **common).send(note(), ref=None)
        )
        assert not error.may_retry
        assert "Remplacez WRONG" in str(error)
        assert "xoxb" not in str(error)


async def test_an_unknown_certificate_gets_no_mail(
    tools: Tools, note: Note, server_tls: ssl.SSLContext
) -> None:
    async with MailStandIn(tls=server_tls) as relay:
        error = await refusal(
            notifier(relay, tools, host="localhost", tls="starttls").send(note(), ref=None)
        )
        assert "certificat" in str(error)
        assert relay.received() == []


async def test_a_relay_without_tls_is_never_used_in_clear(
    relay: MailStandIn, tools: Tools, note: Note
) -> None:
    error = await refusal(notifier(relay, tools, tls="starttls").send(note(), ref=None))
    assert not error.may_retry
    assert 'tls = "starttls"' in str(error)
    assert relay.received() == []
