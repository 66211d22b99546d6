"""From a mention in clear to the only form the store accepts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime

from veille.domain.errors import MentionError
from veille.domain.ids import content_hash
from veille.domain.mention import Author, Media, Mention
from veille.domain.record import Identity, MaskedMention, Tombstone
from veille.domain.text import fold, printable
from veille.privacy.mask import Masked, mask
from veille.privacy.pseudonym import Pseudonyms
from veille.privacy.seal import seal

ANY_SOURCE = "*"
"""Stands for every source in an opposition: no source can have this id."""


class Protector:
    """Masks, pseudonymizes and seals; `nonce` gives 12 fresh random bytes at each call.

    Without `sealing_key` the unmasked text is gone for good. `keep` lists the institution's own
    phones and e-mails.
    """

    __slots__ = ("_keep", "_nonce", "_pseudonyms", "_sealing_key")

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        *,
        sealing_key: bytes | None,
        keep: frozenset[str],
        nonce: Callable[[], bytes],
    ) -> None:
        self._pseudonyms = pseudonyms
        self._sealing_key = sealing_key
        self._keep = keep
        self._nonce = nonce

    def protect(
        self, mention: Mention, *, watches: tuple[str, ...], received_at: datetime
    ) -> MaskedMention:
        """Return the mention masked, pseudonymous and matched to watches.

        Text is NFC, without control characters; spans found later count in it. `content_hash`
        covers masked text, kind and media: other counts, times or watches are no edit. Raises
        MentionError for a deleted mention, which is a tombstone.
        """
        if mention.deleted:
            raise MentionError(f"{mention.source}: a deleted mention has no text: use tombstone()")
        key = self._pseudonyms.mention_key(mention.source, mention.id)
        original = clean(mention.text)
        masked = self._mask(original)
        media = tuple(self._media(item) for item in mention.media)
        author = mention.author
        return MaskedMention(
            key=key,
            source=mention.source,
            watches=watches,
            kind=mention.kind,
            text=masked.text,
            created_at=mention.created_at,
            received_at=received_at,
            content_hash=_content_hash(mention, masked, media),
            identity=self._identity(mention),
            author=self._pseudonyms.author(mention.source, author.id) if author else None,
            followers=author.followers if author else None,
            author_age=_age(author, mention.created_at),
            role=self._line(author.role if author else None),
            lang=self._line(mention.lang),
            reply_to=self._other(mention.source, mention.reply_to),
            thread=self._other(mention.source, mention.thread),
            media=media,
            metrics=mention.metrics,
            own=mention.own,
            edited_at=mention.edited_at,
            masked=masked.kinds,
            sealed=self._seal(original, key) if masked.kinds else None,
            marks=self._marks(mention),
        )

    def tombstone(self, source: str, native_id: str, at: datetime) -> Tombstone:
        """Return the record that the source deleted a mention."""
        return Tombstone(key=self._pseudonyms.mention_key(source, native_id), source=source, at=at)

    def author(self, source: str, author_id: str) -> str | None:
        """Return the keyed hash that stands for an author, None when authors are dropped."""
        return self._pseudonyms.author(source, author_id)

    def opposition(self, source: str, handle: str) -> tuple[str, ...]:
        """Return the marks under which one who is shown there as `handle` objects.

        `source` may be ANY_SOURCE. Empty when authors are dropped.
        """
        return self._hashed(source, _handles(Author(id=handle, name=handle)))

    def _marks(self, mention: Mention) -> tuple[str, ...]:
        if mention.author is None:
            return ()
        names = _handles(mention.author)
        return self._hashed(mention.source, names) + self._hashed(ANY_SOURCE, names)

    def _hashed(self, source: str, names: Iterable[str]) -> tuple[str, ...]:
        found = (self._pseudonyms.author(source, f"opposed {name}") for name in names)
        return tuple(mark for mark in found if mark is not None)

    def _mask(self, text: str) -> Masked:
        return mask(text, keep=self._keep)

    def _line(self, text: str | None) -> str | None:
        return None if text is None else self._mask(clean(text)).text

    def _media(self, media: Media) -> Media:
        # no URL: it often carries the author's handle, and media is never fetched
        return Media(type=clean(media.type), alt=self._line(media.alt))

    def _other(self, source: str, native_id: str | None) -> str | None:
        return None if native_id is None else self._pseudonyms.mention_key(source, native_id)

    def _seal(self, text: str, key: str) -> bytes | None:
        if self._sealing_key is None:
            return None
        return seal(text, self._sealing_key, self._nonce(), key)

    def _identity(self, mention: Mention) -> Identity:
        author = self._named(mention)
        return Identity(
            native_id=printable(mention.id),
            url=_link(mention.url),
            author_id=printable(author.id) if author else None,
            author_name=clean(author.name) if author and author.name else None,
        )

    def _named(self, mention: Mention) -> Author | None:
        """The author, unless there is no key: then nothing of them is kept."""
        author = mention.author
        if author is None or self._pseudonyms.author(mention.source, author.id) is None:
            return None
        return author


def _handles(author: Author) -> tuple[str, ...]:
    """How an author may be called: by id, handle, and a name like @x; names repeat, @x not."""
    names = [author.id] if author.handle is None else [author.id, author.handle]
    if author.name and author.name.strip().startswith("@"):
        names.append(author.name)
    return tuple(dict.fromkeys(handle(name) for name in names))


def handle(name: str) -> str:
    """Return how handles and author ids are compared: folded, without the @ before them."""
    return fold(printable(name)).strip().removeprefix("@")


def clean(text: str) -> str:
    """Return text in NFC with control characters and lone surrogates replaced by U+FFFD.

    NFC, not NFKC: what people wrote stays what they wrote, and é is one code point.
    """
    return unicodedata.normalize("NFC", printable(text))


def _content_hash(mention: Mention, masked: Masked, media: tuple[Media, ...]) -> str:
    shown = (part for item in media for part in (item.type, item.alt or ""))
    return content_hash(masked.text, mention.kind, *shown)


def _age(author: Author | None, at: datetime) -> int | None:
    """Return the days since the account was opened, 0 when it seems to come later."""
    if author is None or author.created_at is None:
        return None
    return max(0, (at - author.created_at).days)


def _link(url: str | None) -> str | None:
    """A web address, or nothing: it becomes a link, where `javascript:` would run."""
    if url is None or not url.lower().startswith(("https://", "http://")):
        return None
    return printable(url)
