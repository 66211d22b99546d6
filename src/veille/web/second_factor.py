"""The second factor: codes of 30 s from a secret (RFC 6238), and recovery codes on paper."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from veille.privacy import seal
from veille.store import factors
from veille.store.engine import Db
from veille.store.users import folded
from veille.web.passwords import grouped

STEP_S = 30
DIGITS = 6
RECOVERY_CODES = 10
_SECRET_BYTES = 20  # RFC 4226, section 4, R6: 160 bits; what every app takes
_SKEW = (0, -1, 1)  # RFC 6238, 5.2: one step for a slow network or clock


def new_secret() -> bytes:
    """Return a new secret of 160 bits."""
    return secrets.token_bytes(_SECRET_BYTES)


def written(secret: bytes) -> str:
    """Return the secret as people type it into an app: base32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, *, user: str, issuer: str) -> str:
    """Return the otpauth address an app reads; issuer and user are only shown there."""
    label = f"{quote(issuer, safe='')}:{quote(user, safe='')}"
    key = base64.b32encode(secret).decode()
    return f"otpauth://totp/{label}?secret={key}&issuer={quote(issuer, safe='')}"


def picture(text: str) -> str:
    """Return a QR code as SVG: dark on light in dark pages too, no style, no script."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(out, kind="svg", scale=4, border=4, light="#fff", dark="#000", xmldecl=False,
              svgns=True, omitsize=True, svgclass=None, lineclass=None, unit=None)  # fmt: skip
    return out.getvalue().decode()


def step_of(secret: bytes, code: str, *, now: datetime) -> int | None:
    """Return the step, of 30 s since 1970, whose code this is: now's or a neighbour; else None."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    current = int(now.timestamp()) // STEP_S
    steps = (current + skew for skew in _SKEW)
    fit = [step for step in steps if hmac.compare_digest(code_at(secret, step), digits)]
    return fit[0] if fit else None


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step. SHA-1 is what apps know; HMAC with it is sound (RFC 6238, 1.2)."""
    return TOTP(secret, DIGITS, SHA1(), STEP_S).generate(step * STEP_S).decode()  # noqa: S303


def recovery_codes() -> tuple[str, ...]:
    """Return ten random codes to print: 58 bits each, nothing that is misread."""
    return tuple(grouped(3) for _ in range(RECOVERY_CODES))


def mac(key: bytes, user: str, code: str) -> str:
    """Return what is stored of a recovery code: useless to whoever has the store alone."""
    plain = "".join(char for char in code.casefold() if char.isalnum())
    said = f"recovery code\0{folded(user)}\0{plain}".encode("utf-8", "surrogatepass")
    return hmac.new(key, said, hashlib.sha256).hexdigest()


def macs(key: bytes, user: str, codes: Iterable[str]) -> list[str]:
    """Return what is stored of recovery codes."""
    return [mac(key, user, code) for code in codes]


def sealed(key: bytes, user: str, secret: bytes) -> bytes:
    """Return the secret as it is stored: sealed, for this user alone."""
    return seal.seal(secret.hex(), key, secrets.token_bytes(seal.NONCE_BYTES), _purpose(user))


def unsealed(key: bytes, user: str, stored: bytes) -> bytes:
    """Return the user's secret; InputError when it was sealed with another key or altered."""
    return bytes.fromhex(seal.unseal(stored, key, _purpose(user)))


def spend(db: Db, user: str, code: str, *, key: bytes, now: datetime) -> str | None:
    """Return what the code was, `code` or `recovery`, once for each; None when it is wrong.

    A code counts once, and so none older than the last. InputError when the secret is unreadable.
    """
    factor = factors.get(db, user)
    if factor is None or factor.confirmed_at is None:
        return None
    if factors.spend_recovery(db, user, mac=mac(key, user, code)):
        return "recovery"
    step = step_of(unsealed(key, user, factor.sealed), code, now=now)
    return "code" if step is not None and factors.spend(db, user, step=step) else None


def _purpose(user: str) -> str:
    return f"second factor of {folded(user)}"
