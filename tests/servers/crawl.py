"""A visitor without scripts who follows every link, sends every form, reads each page closely."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import aiohttp

PER_KIND = 3
"""Addresses of one kind that differ in their query only: the fourth teaches nothing new."""
_WRITTEN = {"url": "https://social.example/1", "password": "une rivière en crue 1910"}
_ENTER = {"get": [(None, None, "")]}  # a search is sent by a key; what changes things by a button
_QUIET = {"hidden", "submit", "button", "image", "reset"}
_SAFE = re.compile(r"/|#|\?|https?:|$")
_FOREIGN = {"iframe", "object", "embed", "base", "style", "img"}
_NUMBERS = re.compile(r"(?<=/)(?:\d+|[0-9a-f]{32})(?=/|$)|(?<=/rules/)(?!files/).+|(?<=/files/).+")


@dataclass
class Form:
    """One form as it stands: where each of its buttons leads, and with what."""

    method: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str | None, str | None, str]] = field(default_factory=list)


class Page(HTMLParser):
    """What a page holds, and what is wrong with it."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.title = ""
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.wrong: list[str] = []
        self._by_id: dict[str, Form] = {}
        self._labels: set[str] = set()
        self._inputs: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()
        self._form: Form | None = None
        self._select: tuple[Form, str] | None = None
        self._inside: list[str] = []
        self._late: list[tuple[str, tuple[str | None, str | None, str]]] = []
        self.feed(text)
        self.close()
        self._conclude()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        self._counts[tag] += 1
        self._inside.append(tag)
        self._judge(tag, at)
        match tag:
            case "a" if "href" in at:
                self.links.append(urljoin(self.url, at["href"]))
            case "label":
                self._labels.add(at.get("for", ""))
            case "form":
                self._form = Form(
                    at.get("method", "get").lower(), urljoin(self.url, at.get("action", ""))
                )
                self.forms.append(self._form)
                self._by_id[at.get("id", "")] = self._form
            case "input" | "select" | "textarea" | "button":
                self._control(tag, at)
            case "option" if self._select is not None:
                self._option(at)

    def _judge(self, tag: str, at: dict[str, str]) -> None:
        for name, value in at.items():
            leads = name in {"href", "src", "action", "formaction"} and not _SAFE.match(value)
            if leads or name.startswith("on") or name == "style":
                self.wrong.append(f"<{tag} {name}={value}>")
        if tag in _FOREIGN or (tag == "script" and not at.get("src", "").startswith("/static/")):
            self.wrong.append(f"<{tag}>")
        if tag == "html" and not at.get("lang"):
            self.wrong.append("no lang")

    def _control(self, tag: str, at: dict[str, str]) -> None:
        kind = at.get("type", "submit" if tag == "button" else "text")
        if kind not in _QUIET and not at.get("aria-label") and at.get("aria-hidden") != "true":
            self._inputs.append((at.get("id", ""), "label" if "label" in self._inside else tag))
        if tag == "button":
            pressed = at.get("name"), at.get("value"), at.get("formaction", "")
            if "form" in at:
                self._late.append((at["form"], pressed))
            elif self._form is not None:
                self._form.buttons.append(pressed)
            return
        if self._form is None or not at.get("name"):
            return
        if tag == "select":
            self._select = self._form, at["name"]
        elif kind != "checkbox" or "checked" in at or at["name"] == "item":
            given = at.get("value") or (_WRITTEN.get(kind, "essai") if "required" in at else "")
            self._form.fields.append((at["name"], given))

    def _option(self, at: dict[str, str]) -> None:
        assert self._select is not None
        form, name = self._select
        if "selected" in at or name not in dict(form.fields):
            form.fields = [one for one in form.fields if one[0] != name]
            form.fields.append((name, at.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] == ["title"]:
            self.title += data

    def _conclude(self) -> None:
        for form, pressed in self._late:
            if form in self._by_id:
                self._by_id[form].buttons.append(pressed)
            else:
                self.wrong.append(f"a button of no form: {form}")
        self.wrong += [
            f"no label: {tag} {name}"
            for name, tag in self._inputs
            if tag != "label" and name not in self._labels
        ]
        if self._counts["h1"] != 1:
            self.wrong.append(f"{self._counts['h1']} h1")
        if not self.title.strip():
            self.wrong.append("no title")


@dataclass(frozen=True)
class Answer:
    """What came of one address: `page` is None for a file."""

    url: str
    status: int
    text: str
    page: Page | None


def kind_of(url: str) -> str:
    """Return the address with its numbers and values left out: pages of one template."""
    parts = urlsplit(url)
    names = ",".join(sorted({name for name, _ in parse_qsl(parts.query)}))
    return f"{_NUMBERS.sub('N', parts.path)}?{names}"


class Crawler:
    """Walks one site as whoever `client` is signed in as.

    It is `thorough` where it opens every path; else PER_KIND paths of each template.
    """

    def __init__(self, client: aiohttp.ClientSession, home: str, *, thorough: bool = True) -> None:
        self._client, self._home, self._thorough = client, home, thorough
        self.seen: dict[str, Answer] = {}
        self._kinds: Counter[str] = Counter()

    async def walk(self) -> None:
        """Every address that links and GET forms lead to has been asked for once."""
        waiting = [self._home + "/"]
        while waiting:
            url = waiting.pop(0).partition("#")[0]
            if url in self.seen or not url.startswith(self._home + "/") or not self._is_news(url):
                continue
            answer = await self.ask("GET", url)
            self.seen[url] = answer
            if answer.page is not None:
                waiting += answer.page.links
                waiting += [to for to, _ in self.sendings(answer.page, "get")]

    def _is_news(self, url: str) -> bool:
        kind = kind_of(url)
        self._kinds[kind] += 1
        is_own = self._thorough and not urlsplit(url).query
        return is_own or self._kinds[kind] <= PER_KIND

    def sendings(self, page: Page, method: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Yield where each button of the page's forms leads, with the fields it sends."""
        for form in page.forms:
            if form.method != method:
                continue
            for name, value, elsewhere in form.buttons or _ENTER.get(method, []):
                fields = [*form.fields, *([(name, value or "")] if name else [])]
                url = urljoin(self._home, elsewhere) if elsewhere else form.action
                if method == "get":
                    yield f"{url.partition('#')[0].partition('?')[0]}?{urlencode(fields)}", fields
                else:
                    yield url, fields

    async def ask(
        self, method: str, url: str, fields: list[tuple[str, str]] | None = None
    ) -> Answer:
        """Return what came of it, redirects followed."""
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": self._home}
        async with self._client.request(
            method,
            url,
            data=urlencode(fields) if fields is not None else None,
            headers=headers
            | ({"Content-Type": "application/x-www-form-urlencoded"} if fields is not None else {}),
        ) as got:
            body = await got.read()
            text = body.decode(errors="strict")
            page = Page(str(got.url), text) if got.content_type == "text/html" else None
            return Answer(str(got.url), got.status, text, page)
