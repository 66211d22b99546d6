from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest

from veille.demo.mail import MailStandIn


@pytest.fixture
async def relay() -> AsyncIterator[MailStandIn]:
    async with MailStandIn() as stand_in:
        yield stand_in


async def send(relay: MailStandIn, *to: str, **options: Any) -> None:
    mail = EmailMessage()
    mail["Message-ID"] = "<1@mairie.example>"
    mail.set_content("La rivière déborde.\n.\nUn point seul ne finit rien.\n")
    await aiosmtplib.send(
        mail,
        hostname=relay.host,
        port=relay.port,
        start_tls=False,
        sender="a@mairie.example",
        recipients=to or ("b@mairie.example",),
        local_hostname="localhost",
        **options,
    )


async def test_a_mail_is_kept_as_it_was_sent(relay: MailStandIn) -> None:
    await send(relay)
    mail = relay.received()[0]
    assert (mail.sender, mail.recipients) == ("a@mairie.example", ("b@mairie.example",))
    assert mail.message_id == "<1@mairie.example>"
    assert mail.body("plain").splitlines() == [
        "La rivière déborde.",
        ".",
        "Un point seul ne finit rien.",
    ]
    assert mail.body("html") == ""


async def test_faults_last_as_long_as_told(relay: MailStandIn) -> None:
    relay.fail_next(451, times=2)
    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPDataError, match="451"):
            await send(relay)
    await send(relay)
    assert len(relay.received()) == 1


async def test_a_refused_address_is_refused_alone(relay: MailStandIn) -> None:
    relay.refuse("c@mairie.example")
    await send(relay, "b@mairie.example", "c@mairie.example")
    assert relay.received()[0].recipients == ("b@mairie.example",)


async def test_down_refuses_and_back_is_at_the_same_port(relay: MailStandIn) -> None:
    await send(relay)
    port = relay.port
    await relay.go_down()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(relay)
    await relay.come_back()
    await send(relay)
    assert relay.port == port
    assert relay.mails_by_id() == {"<1@mairie.example>": 2}


async def test_without_the_login_nothing_is_taken() -> None:
    async with MailStandIn(login=("veille", "right")) as relay:
        with pytest.raises(aiosmtplib.SMTPSenderRefused):
            await send(relay)
        assert relay.received() == []
