"""Mail: one message a notification, threaded under the first of its incident."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress

import aiosmtplib
import structlog

from veille.domain.errors import ConfigError, DeliveryError, VeilleError
from veille.domain.notification import Document, Notification, NotificationKind, Ref
from veille.notifiers.base import Tools, may_retry
from veille.notifiers.email_body import write, write_document
from veille.notifiers.message import compose
from veille.notifiers.settings import EmailReceiver

_log = structlog.get_logger()
_GOODBYE_S = 2
_FOR_GOOD = 500  # RFC 5321, 4.2.1: 4yz may pass, 5yz will not


class EmailNotifier:
    """Hands mails to one SMTP relay, over TLS with the system's certificates by default."""

    def __init__(
        self, settings: EmailReceiver, *, tools: Tools, tls: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._tools = tools
        self._tls = tls

    async def send(self, notification: Notification, *, ref: Ref | None) -> Ref:
        """Return the Message-ID of the incident's first mail, once the relay took this one.

        Refused by some addresses and taken for others is delivered: `note` in the result says it.
        """
        settings, tools = self._settings, self._tools
        if notification.kind is NotificationKind.REDACTED:
            return ref or {}  # what was mailed cannot be taken back
        if notification.kind is NotificationKind.MUTED:
            return ref or {}
        if notification.kind is NotificationKind.REFRESHED and ref is not None:
            return ref  # a mail cannot be edited, and what changed is worth no other
        message = compose(notification, voice=tools.voice, quotes=settings.quotes)
        first = (ref or {}).get("message_id")
        mail = write(notification, message, settings=settings, first=first, now=tools.now())
        refused = await self._hand_over(mail.as_bytes())
        kept = {"message_id": first or str(mail["Message-ID"])}
        return kept | self._note(refused)

    async def publish(self, document: Document) -> None:
        """Return once the relay took the document as a mail of its own."""
        mail = write_document(
            document,
            settings=self._settings,
            language=self._tools.voice.words.language,
            now=self._tools.now(),
        )
        self._note(await self._hand_over(mail.as_bytes()))

    async def verify(self) -> str:
        """Return that the relay answered, over TLS and logged in as configured; no mail is sent."""
        client = await self._new_client()
        try:
            await self._connect(client)
            await _say_goodbye(client)
        finally:
            client.close()
        return self._say("verified")

    def _password(self) -> str | None:
        if self._settings.password is None:
            return None
        try:
            return self._tools.secret(self._settings.password)
        except ConfigError as error:
            raise DeliveryError(str(error), may_retry=False) from error

    async def _check_host(self) -> None:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_s):
                await self._tools.check_host(
                    settings.host, settings.port, allow_private=settings.allow_private
                )
        except VeilleError as error:
            raise DeliveryError(str(error), may_retry=may_retry(error)) from error
        except OSError as error:  # TimeoutError is one
            raise DeliveryError(self._say("unreachable")) from error

    async def _hand_over(self, mail: bytes) -> Mapping[str, int]:
        """Return the codes of the refused addresses, once the relay took the mail for the rest."""
        client = await self._new_client()
        try:
            await self._connect(client)
            refused = await self._submit(client, mail)
            await _say_goodbye(client)
        finally:
            client.close()
        return refused

    async def _new_client(self) -> aiosmtplib.SMTP:
        settings, password = self._settings, self._password()
        await self._check_host()
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.timeout_s,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=await self._context(),
            local_hostname=settings.sender.partition("@")[2],
            username=settings.user,
            password=password,
        )

    async def _connect(self, client: aiosmtplib.SMTP) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise self._answered("login", error.code) from error
        except aiosmtplib.SMTPResponseException as error:
            raise self._answered("refused", error.code) from error
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, OSError) as error:
            key = "certificate" if _is_certificate(error) else "unreachable"
            raise DeliveryError(self._say(key)) from error
        except aiosmtplib.SMTPException as error:  # no STARTTLS, no login offered
            text = self._say("tls", tls=self._settings.tls)
            raise DeliveryError(text, may_retry=False) from error

    async def _submit(self, client: aiosmtplib.SMTP, mail: bytes) -> Mapping[str, int]:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.timeout_s):
                refused, _ = await client.sendmail(settings.sender, settings.to, mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            # one that may pass is worth a retry: the others are refused again and harm nobody
            raise self._answered("refused", min(each.code for each in error.recipients)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise self._answered("refused", error.code) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise DeliveryError(self._say("refused", code="SMTPUTF8"), may_retry=False) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryError(self._say("unknown"), is_unknown=True) from error
        return {address: answer.code for address, answer in refused.items()}

    async def _context(self) -> ssl.SSLContext | None:
        if self._settings.tls == "none":
            return None
        if self._tls is None:  # reads the system's certificates from disk
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls

    def _answered(self, key: str, code: int) -> DeliveryError:
        is_final = code >= _FOR_GOOD
        return DeliveryError(
            self._say(key if is_final else "later", code=code), may_retry=not is_final
        )

    def _note(self, refused: Mapping[str, int]) -> dict[str, str]:
        if not refused:
            return {}
        codes = sorted(set(refused.values()))
        _log.warning(
            "mail_partly_refused", receiver=self._settings.id, refused=len(refused), codes=codes
        )
        addresses = ", ".join(f"{address} ({code})" for address, code in sorted(refused.items()))
        return {
            "note": self._tools.voice.words.count(
                "notify.mail.partly",
                len(refused),
                shown=len(refused),
                host=self._settings.host,
                addresses=addresses,
            )
        }

    def _say(self, key: str, **values: object) -> str:
        settings = self._settings
        return self._tools.voice.words(
            f"notify.mail.{key}",
            host=settings.host,
            port=settings.port,
            receiver=settings.id,
            user=settings.user,
            secret=settings.password,
            **values,
        )


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    """Send QUIT; the mail is taken, so nothing that happens now may look like a failure."""
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_GOODBYE_S):
            await client.quit()


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__
    return False
