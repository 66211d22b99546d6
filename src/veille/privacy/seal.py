"""Sealed originals: AES-256-GCM of the unmasked text, bound to its mention."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from veille.domain.errors import ConfigError, InputError

NONCE_BYTES = 12  # NIST SP 800-38D, 8.2: 96 bits; random ones are safe for 2**32 texts a key
_KEY_BYTES = 32
_SECRET_BYTES = 16
_TAG_BYTES = 16
_VERSION = b"\x01"


def sealing_key(secret: bytes) -> bytes:
    """Return the 32-byte key for sealing, HKDF-SHA-256 of a secret of at least 16 random bytes.

    The same secret may serve pseudonyms too: the keys are independent. ConfigError if too short.
    """
    return _derived(secret, b"veille sealed original v1")


def access_key(secret: bytes) -> bytes:
    """Return the 32-byte key that seals second factors, as `sealing_key` returns that of texts."""
    return _derived(secret, b"veille second factor v1")


def answer_key(secret: bytes) -> bytes:
    """Return the 32-byte key that seals what the API answered, as `sealing_key` returns that."""
    return _derived(secret, b"veille api answer v1")


def push_key(secret: bytes) -> bytes:
    """Return the 32-byte key that seals addresses of devices, as `sealing_key` that of texts."""
    return _derived(secret, b"veille push device v1")


def _derived(secret: bytes, purpose: bytes) -> bytes:
    if len(secret) < _SECRET_BYTES:
        raise ConfigError(
            f"the sealing secret has {len(secret)} bytes, it needs at least {_SECRET_BYTES}: put a"
            " random one into the secrets file (openssl rand -hex 32)"
        )
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose).derive(secret)


def seal(text: str, key: bytes, nonce: bytes, associated: str) -> bytes:
    """Return text encrypted for the mention whose key is `associated`.

    `key` comes from `sealing_key`; `nonce` is 12 random bytes, never used twice. The result is
    as long as the text in UTF-8 plus 29 bytes.
    """
    if len(nonce) != NONCE_BYTES:
        raise InputError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}: use token_bytes")
    plain = text.encode("utf-8", "surrogatepass")
    return _VERSION + nonce + _cipher(key).encrypt(nonce, plain, _VERSION + associated.encode())


def unseal(sealed: bytes, key: bytes, associated: str) -> str:
    """Return the text that was sealed for this mention.

    Raises ConfigError when the key is another one, and InputError when what is stored is no
    sealed text at all.
    """
    if sealed[:1] != _VERSION or len(sealed) < len(_VERSION) + NONCE_BYTES + _TAG_BYTES:
        raise InputError(f"mention {associated}: its original is damaged or of a newer version")
    nonce, cipher = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        plain = _cipher(key).decrypt(nonce, cipher, _VERSION + associated.encode())
    except InvalidTag as error:
        raise ConfigError(
            f"mention {associated}: its original was sealed with another key, or altered since:"
            " put the former key back into the secrets file"
        ) from error
    return plain.decode("utf-8", "surrogatepass")


def _cipher(key: bytes) -> AESGCM:
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"a sealing key has {_KEY_BYTES} bytes, not {len(key)}: use sealing_key")
    return AESGCM(key)
