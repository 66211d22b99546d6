"""A stand-in for a mail relay on 127.0.0.1: takes mails, keeps them, fails when told to."""

from __future__ import annotations

import asyncio
import email
import ssl
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Reply = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as the relay took it."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes

    @property
    def message_id(self) -> str:
        """Its Message-ID header, empty when there is none."""
        return str(self.message.get("Message-ID", "")).strip()

    def body(self, kind: str) -> str:
        """Return the text of the `plain` or `html` part, empty when there is none."""
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


class MailStandIn:
    """A relay of its own; `async with` listens on a free port until the block ends.

    `tls` is offered by STARTTLS, or spoken from the first byte when `is_implicit`. With `login`
    (user, password) nobody else may send.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        is_implicit: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._tls = tls
        self._is_implicit = is_implicit
        self._login = login
        self._mails: list[Mail] = []
        self._faults: list[int] = []
        self._refused: dict[str, int] = {}
        self._lost_answers = 0
        self._connections: set[SMTP] = set()
        self._server: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self.port = 0

    @property
    def host(self) -> str:
        """The host to set as `host`; `port` goes with it."""
        return "127.0.0.1"

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.go_down()

    async def come_back(self) -> None:
        """Listen, on the same port as before if there was one; mails are kept."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connection,
            self.host,
            self.port,
            reuse_address=True,
            ssl=self._tls if self._is_implicit else None,
        )
        self._stopping.clear()
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Refuse connections and cut the open ones until `come_back`."""
        server, self._server = self._server, None
        self._stopping.set()
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()
        self._connections.clear()
        if server is not None:
            server.close()
            await server.wait_closed()

    def fail_next(self, code: int, times: int = 1) -> None:
        """Answer the next mails with an SMTP code after DATA and keep nothing."""
        self._faults += [code] * times

    def refuse(self, address: str, code: int = 550) -> None:
        """Answer RCPT for this address with an SMTP code from now on."""
        self._refused[address] = code

    def lose_answers(self, times: int = 1) -> None:
        """Keep the next mails and never answer: the caller cannot know."""
        self._lost_answers += times

    def received(self) -> list[Mail]:
        """Return the mails taken, oldest first."""
        return list(self._mails)

    def mails_by_id(self) -> Mapping[str, int]:
        """Return how many mails were taken per Message-ID."""
        return dict(Counter(mail.message_id for mail in self._mails))

    def _connection(self) -> SMTP:
        is_starttls = self._tls is not None and not self._is_implicit
        connection = SMTP(
            self,
            hostname="localhost",
            ident="stand-in",
            loop=asyncio.get_running_loop(),
            tls_context=self._tls if is_starttls else None,
            require_starttls=is_starttls,
            auth_require_tls=is_starttls,
            authenticator=self._authenticate,
        )
        self._connections.add(connection)
        return connection

    # aiosmtpd calls these by name and passes what it has
    async def handle_MAIL(  # noqa: N802 names and arguments are aiosmtpd's
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> Reply:
        """Take a sender who has logged in, where that is asked for."""
        if self._login is not None and not session.authenticated:
            return "530 log in first"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 names and arguments are aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> Reply:
        """Take a recipient unless it is to be refused."""
        if address in self._refused:
            return f"{self._refused[address]} no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> Reply:
        """Keep a mail unless the next ones are to fail."""
        if self._faults:
            return f"{self._faults.pop(0)} told to fail"
        raw = envelope.original_content or b""
        self._mails.append(
            Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                raw=raw,
                message=email.message_from_bytes(raw, policy=default),
            )
        )
        if self._lost_answers:
            self._lost_answers -= 1
            await self._stopping.wait()
        return "250 OK"

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """Say whether this is the login; Any: aiosmtpd's data depends on the mechanism."""
        is_right = isinstance(data, LoginPassword) and self._login == (
            data.login.decode(),
            data.password.decode(),
        )
        return AuthResult(success=is_right, handled=False)
