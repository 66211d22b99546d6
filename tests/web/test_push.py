"""Notifications on /account, and what makes the pages an app: without scripts, over real HTTP."""

from __future__ import annotations

import json
import re
import zlib
from datetime import timedelta
from typing import Any

import pytest

from servers.push import Handset
from veille.domain.notification import NotificationKind
from veille.net import webpush
from veille.privacy import seal
from veille.store import outbox, push
from veille.web import users as accounts
from veille.web.icons import SIZES, TRIANGLE, png
from veille.web.ports import PushDesk

Town = Any  # fixtures come from conftest.py, which importmode=importlib keeps from being imported
Browser = Any
SEALING = seal.push_key(b"seize caracteres ou plus")
KEY = webpush.new_key()
PASSWORD = "une rivière en crue 1910"


@pytest.fixture
def push_desk() -> PushDesk | None:
    return PushDesk(
        public_key=webpush.public_key(KEY),
        receiver="telephones",
        sealing_key=SEALING,
        hosts=("push.example",),
    )


def handset(name: str = "one") -> Handset:
    return Handset(endpoint=f"https://push.example/wp/{name}")


async def enabled(camille: Browser, phone: Handset) -> Any:
    page = await camille.get("/account")
    csrf = page.field("csrf", action="/account/push/add")
    fields = {"csrf": csrf, "current": PASSWORD, **phone.fields}
    return await camille.post("/account/push/add", fields)


async def devices(town: Town, name: str = "Camille") -> list[push.Device]:
    return list(await town.store.read(lambda db: push.of(db, name)))


async def test_a_device_is_enabled_listed_tried_and_removed(town: Town, camille: Browser) -> None:
    page = await enabled(camille, handset())
    assert "Cet appareil reçoit les notifications" in page.text
    (device,) = await devices(town)
    assert "aucun encore" in page.text
    await camille.submit(page, "/account/push/try", device=str(device.id))
    row = await town.store.write(
        lambda db: outbox.claim(db, "telephones", now=town.clock.now, lease=timedelta(minutes=1))
    )
    assert row.kind is NotificationKind.TRIAL
    assert row.key.startswith(f"push.trial.{device.id}.")
    page = await camille.submit(page, "/account/push/remove", device=str(device.id))
    assert "ne reçoit plus rien" in page.text
    assert await devices(town) == []


async def test_the_address_lies_sealed_in_the_store_and_nowhere_else(
    town: Town, camille: Browser
) -> None:
    phone = handset("secret-part")
    page = await enabled(camille, phone)
    assert "secret-part" not in page.text
    (device,) = await devices(town)
    assert b"secret-part" not in device.sealed
    said = json.loads(seal.unseal(device.sealed, SEALING, device.mark))
    assert said == phone.fields
    trail = await town.store.read(lambda db: [dict(row) for row in db.rows("SELECT * FROM audit")])
    assert "push.add" in {entry["action"] for entry in trail}
    assert "secret-part" not in repr(trail)
    assert "push.example" not in repr(trail)


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "https://elsewhere.example/x"},
        {"endpoint": "http://push.example/x"},
        {"endpoint": "https://169.254.169.254/latest"},
        {"endpoint": "javascript:alert(1)"},
        {"endpoint": ""},
        {"auth": "<script>"},
        {"p256dh": "x" * 60_000},
    ],
)
async def test_an_address_that_no_browser_gives_is_refused(
    town: Town, camille: Browser, changes: dict[str, str]
) -> None:
    page = await camille.get("/account")
    csrf = page.field("csrf", action="/account/push/add")
    fields = {"csrf": csrf, "current": PASSWORD, **handset().fields, **changes}
    answer = await camille.post("/account/push/add", fields)
    assert "pas admis ici" in answer.text
    assert await devices(town) == []


async def test_a_browser_is_one_device_and_of_who_enabled_it_last(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    phone = handset()
    await enabled(camille, phone)
    await enabled(camille, phone)
    assert len(await devices(town)) == 1
    await enabled(sacha, phone)
    assert await devices(town) == []
    assert len(await devices(town, "Sacha")) == 1


async def test_ten_devices_are_enough(town: Town, camille: Browser) -> None:
    for number in range(push.MOST):
        await enabled(camille, handset(str(number)))
    page = await enabled(camille, handset("eleven"))
    assert "déjà 10 appareils" in page.text
    assert len(await devices(town)) == push.MOST


async def test_a_stolen_session_enables_no_device(town: Town, camille: Browser) -> None:
    csrf = (await camille.get("/account")).field("csrf", action="/account/push/add")
    for said in ({}, {"current": "devinette"}):
        fields = {"csrf": csrf, **handset().fields, **said}
        answer = await camille.post("/account/push/add", fields)
        assert "rien n" in answer.text
    assert await devices(town) == []


async def test_nobody_tries_or_removes_the_device_of_another(
    town: Town, camille: Browser, sacha: Browser
) -> None:
    await enabled(camille, handset())
    (device,) = await devices(town)
    csrf = (await sacha.get("/account")).field("csrf", action="/account/push/add")
    for verb in ("try", "remove"):
        fields = {"csrf": csrf, "device": str(device.id)}
        await sacha.post(f"/account/push/{verb}", fields)
    for nonsense in ("", "-1", "9" * 30, "é", "١"):
        await sacha.post("/account/push/remove", {"csrf": csrf, "device": nonsense})
    assert len(await devices(town)) == 1
    assert await town.store.read(outbox.depth) == {}


async def test_signing_out_ends_what_this_browser_hears_and_no_other(
    town: Town, camille: Browser
) -> None:
    await enabled(camille, handset("here"))
    await town.store.write(
        lambda db: push.add(
            db, user="Camille", mark="m2", sealed=b"x", name="", known="another", now=town.clock.now
        )
    )
    page = await camille.get("/")
    answer = await camille.submit(page, "/logout")
    assert "/login" in answer.path
    assert [one.mark for one in await devices(town)] == ["m2"]


@pytest.mark.parametrize("verb", ["disable", "reset_password", "revoke"])
async def test_what_ends_a_users_access_ends_their_notifications(
    town: Town, camille: Browser, verb: str
) -> None:
    await enabled(camille, handset())
    act = getattr(accounts, verb)
    await town.store.write(lambda db: act(db, "Camille", town.clock.now))
    assert await devices(town) == []


async def test_an_expired_session_does_not_stop_the_night(town: Town, camille: Browser) -> None:
    await enabled(camille, handset())
    town.clock.advance(hours=13)
    assert "/login" in (await camille.get("/")).path
    found = await town.store.read(lambda db: push.reached(db, ["camille"]))
    assert len(found) == 1


class TestWithoutReceiver:
    @pytest.fixture
    def push_desk(self) -> PushDesk | None:
        return None

    async def test_the_page_says_so_and_the_forms_are_not_there(
        self, town: Town, camille: Browser
    ) -> None:
        page = await camille.get("/account")
        assert "ne sont pas configurées" in page.text
        csrf = page.field("csrf", action="/account/offline")
        answer = await camille.post("/account/push/add", {"csrf": csrf, **handset().fields})
        assert answer.status == 404


async def test_the_manifest_has_what_browsers_install_with(town: Town, stranger: Browser) -> None:
    answer = await stranger.get("/manifest.webmanifest")
    assert answer.headers["Content-Type"].startswith("application/manifest+json")
    said = json.loads(answer.text)
    assert (said["start_url"], said["scope"], said["display"], said["lang"]) == (
        "/", "/", "standalone", "fr",
    )  # fmt: skip
    assert "Saint-Aubin" in said["name"]
    assert {one["purpose"] for one in said["icons"] if "purpose" in one} == {"any", "maskable"}
    assert [one["url"] for one in said["shortcuts"]] == ["/", "/queue", "/search"]
    for icon in said["icons"]:
        async with stranger.session.get(stranger.url + icon["src"]) as picture:
            assert picture.status == 200
            assert picture.content_type == icon["type"]


async def test_pages_name_manifest_and_colours_of_both_themes(
    town: Town, stranger: Browser
) -> None:
    page = await stranger.get("/login")
    assert 'rel="manifest" href="/manifest.webmanifest"' in page.text
    css = (await stranger.get(re.search(r'href="(/static/veille\.[^"]+css)"', page.text)[1])).text
    sheets = re.findall(r"--sheet: (#\w+)", css)
    colours = re.findall(r'name="theme-color" content="(#\w+)"', page.text)
    assert colours == sheets[:2]


async def test_the_policy_grew_by_manifest_and_worker_only(town: Town, stranger: Browser) -> None:
    policy = (await stranger.get("/login")).headers["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'"
    )


async def test_the_worker_keeps_files_by_their_hash_and_no_page_of_anybody(
    town: Town, stranger: Browser
) -> None:
    answer = await stranger.get("/sw.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "no-cache"
    said = json.loads(re.search(r"const VEILLE = (\{.*\});", answer.text)[1])
    assert said["files"].count("/offline") == 1
    for path in said["files"]:
        assert path == "/offline" or re.fullmatch(r"/static/[\w.-]+\.[0-9a-f]{12}\.\w+", path)
        assert (await stranger.ask("HEAD", path)).status == 200


async def test_the_page_without_net_says_nothing_of_anybody(town: Town, camille: Browser) -> None:
    page = await camille.get("/offline")
    assert "Hors ligne" in page.text
    assert "Camille" not in page.text
    assert "csrf" not in page.text


async def test_now_is_kept_only_where_its_person_said_so_and_not_past_the_session(
    town: Town, camille: Browser
) -> None:
    assert "Veille-Keep" not in (await camille.get("/")).headers
    page = await camille.get("/account")
    page = await camille.submit(page, "/account/offline", keep="on")
    assert "garde le dernier état" in page.text
    until = int((await camille.get("/")).headers["Veille-Keep"])
    assert until == int((town.clock.now + timedelta(minutes=30)).timestamp() * 1000)
    for path in ("/queue", "/incidents/1", "/account", "/search"):
        assert "Veille-Keep" not in (await camille.get(path)).headers
    for _ in range(47):  # never idle for long: the session ends after twelve hours all the same
        town.clock.advance(minutes=15)
        answer = await camille.get("/")
    left = int(answer.headers["Veille-Keep"]) / 1000 - town.clock.now.timestamp()
    assert left == timedelta(minutes=15).total_seconds()
    page = await camille.get("/account")
    await camille.submit(page, "/account/offline", keep="off")
    assert "Veille-Keep" not in (await camille.get("/")).headers


async def test_signing_out_has_the_browser_wipe_what_it_kept(town: Town, camille: Browser) -> None:
    page = await camille.get("/")
    csrf = page.field("csrf", action="/logout")
    answer = await camille.post("/logout", {"csrf": csrf}, follow=False)
    assert '"storage"' in answer.headers["Clear-Site-Data"]


@pytest.mark.parametrize("size", SIZES)
def test_icons_are_png_with_the_triangle_inside_every_mask(size: int) -> None:
    body = png(size)
    assert body.startswith(b"\x89PNG\r\n\x1a\n")
    at = body.index(b"IDAT")
    length = int.from_bytes(body[at - 4 : at], "big")
    raw = zlib.decompress(body[at + 4 : at + 4 + length])
    rows = [raw[y * (3 * size + 1) + 1 : (y + 1) * (3 * size + 1)] for y in range(size)]
    assert len(raw) == size * (3 * size + 1)
    ground = rows[0][:3]
    drawn = [
        (x, y)
        for y in range(0, size, 2)
        for x in range(0, size, 2)
        if rows[y][3 * x : 3 * x + 3] != ground
    ]
    assert drawn
    middle = size / 2
    assert all((x - middle) ** 2 + (y - middle) ** 2 < (0.4 * size) ** 2 for x, y in drawn)
    assert rows[int(middle)][3 * int(middle) : 3 * int(middle) + 3] == b"\xff\xff\xff"


def test_the_icons_are_drawn_from_the_corners_of_the_svg() -> None:
    from importlib import resources

    svg = (resources.files("veille.web") / "static" / "veille.svg").read_text()
    path = re.search(r'd="M([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)H([\d.]+)z"', svg)
    assert path is not None
    x, y, right, low, left = map(float, path.groups())
    assert ((x, y), (right, low), (left, low)) == TRIANGLE
