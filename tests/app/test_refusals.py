"""Every refusal names the file, the key and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from veille.app.check import findings, private_addresses, short_memories
from veille.config import Loaded, load, parse
from veille.domain.errors import ConfigError

HEAD = '[veille]\nname = "x"\n[[watch]]\nid = "mairie"\n'
MAIL = (
    '[[receiver]]\nid = "m"\nkind = "email"\nhost = "h.example"\nsender = "a@h.example"\n'
    'to = ["b@h.example"]\n'
)
RSS = '[[source]]\nid = "a"\nkind = "rss"\nurl = "https://presse.example/x"\n'
SKY = '[[source]]\nid = "a"\nkind = "bluesky"\nurls = ["wss://sky.example/subscribe"]\n'
AT = "route.routes[0].routes[0]"
DEEP = "[[route.routes]]\nmatch = {topic = 'a'}\n[[route.routes.routes]]\nmatch = {a = 'b'}\n"
BUS = '[[source]]\nid = "bus"\nkind = "mqtt"\nhost = "Mqtt.example"\nmqtt_topic = "a/#"\n'
SECOND = BUS.replace('"bus"', '"autre"')
TOLD = '[[receiver]]\nid = "bus"\nkind = "mqtt"\nhost = "mqtt.example"\nmqtt_topic = "a/b"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + MAIL + 'tls = "startls"', ["receiver[0].tls", 'did you mean "starttls"', "none"]),
        (HEAD + '[models]\nprofile = "quick"', ["models.profile", "known: default"]),
        (HEAD + '[[source]]\nid = "a"\nkind = "rs"', ["source[0].kind", 'did you mean "rss"']),
        (HEAD + '[[source]]\nid = "a"', ["source[0]", "known: ", "webhook"]),
        (HEAD + '[[source]]\nid = "a"\nkind = "rss"', ["source[0]", "`url`"]),
        (HEAD + '[[route.routes]]\nreceivrs = ["a"]', ["route.routes[0].receivrs", '"receivers"']),
        (HEAD + '[privacy.retention]\nneutrl = "1d"', ["privacy.retention.neutrl", '"neutral"']),
        (HEAD + "[wep]", ["wep: unknown key", 'did you mean "web"']),
        (HEAD + "[veille", ["this is not TOML"]),
        (HEAD + '[rules]\ngroup_wait = {critcal = "0s"}', ["rules.group_wait", '"critical"']),
        (HEAD + SKY + 'silence = "0s"', ["source[0].silence: ", "write 60s"]),
        (HEAD + RSS + 'poll = "5 minutes"', ["source[0].poll: ", "(15m)"]),
        (HEAD + RSS + "limit_bytes = -5", ["source[0].limit_bytes", "write 1024 or more"]),
        (HEAD + RSS + 'trusted = "oui"', ["source[0].trusted", "write true or false"]),
        (HEAD + RSS + 'watches = "mairie"', ["source[0].watches", 'write a list: ["']),
        (HEAD + RSS + 'allow_hosts = ["https://x/y"]', ["allow_hosts[0]", "without https://"]),
        (HEAD + RSS.replace(".example", ".example:99999"), ["source[0].url: ", "write https://"]),
        (HEAD + '[[source]]\nkind = "file"\npath = "x"', ["source[0]", 'write id = "…"']),
        (HEAD + '[source]\nid = "a"', ["source: ", "write [[source]]"]),
        ('[veille]\nname = "x"', ["`watch`", "write [[watch]]"]),
        (HEAD + 'territory = ["abc"]', ["watch[0].territory[0]", '"33063"']),
        (HEAD + '[web]\nlisten = "127.0.0.1:80808"', ["web.listen: ", "127.0.0.1:8080"]),
        (HEAD + '[web]\npublic_url = "https://x/y"', ["web.public_url: ", "without a path"]),
        (HEAD + '[web]\ntrusted_proxies = ["localhost"]', ["web.trusted_proxies", "10.0.0.0/8"]),
        (HEAD + '[heartbeat]\nurl = "https://h.example:99999/"', ["heartbeat.url: ", "https://"]),
        (HEAD + MAIL + DEEP + "receivers = ['n']", [f"{AT}.receivers: ", "known: m"]),
        (
            HEAD + DEEP.replace("a = 'b'", "severity = 'critcal'"),
            [f"{AT}.match.severity", "critical"],
        ),
        (HEAD + DEEP.replace("match = {a = 'b'}", ""), [f"{AT}: ", "needs match"]),
        (
            HEAD + '[[inhibit]]\nsource = {severity = "critcal"}\ntarget = {topic = "a"}',
            ["inhibit[0]", 'source.severity: "critcal"', "critical"],
        ),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(text: str, told: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, name="config.toml")
    assert str(error.value).startswith("config.toml: ")
    for part in told:
        assert part in str(error.value)
    assert "regex" not in str(error.value)


RULE = "rules:\n  - {id: calls, kind: count, min_count: 3, group_by: [source], severity: info%s}\n"


@pytest.mark.parametrize(
    ("more", "told"),
    [("", []), (", enabled: false", ["no rule is enabled, nothing can alert"])],
)
def test_defaults_name_no_label_in_vain_and_no_rule_at_all_is_found(
    tmp_path: Path, more: str, told: list[str]
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "calls.yml").write_text(RULE % more, encoding="utf-8")
    without_model = '[models]\ndirectory = "none"\n'  # it takes seconds to load
    found = findings(_town(tmp_path, without_model + '[rules]\ndirectory = "rules"\n'))
    about = [each for each in found if "does not exist" in each or "no rule" in each]
    assert len(about) == len(told)
    assert all(part in each for part, each in zip(told, about, strict=True))


def test_labels_of_what_inhibits_that_no_alert_has_are_found(tmp_path: Path) -> None:
    more = '[models]\ndirectory = "none"\n'  # the model takes seconds to load
    more += '[[inhibit]]\nsource = {topik = "a", rule = "nobody"}\ntarget = {severity = "info"}\n'
    found = "\n".join(findings(_town(tmp_path, more + 'equal = ["wach"]\n')))
    assert 'inhibit[0].source: "topik" does not exist; did you mean "topic"?' in found
    assert 'inhibit[0].source.rule: "nobody" does not exist' in found
    assert 'inhibit[0].equal: "wach" does not exist; did you mean "watch"?' in found


def _town(folder: Path, more: str) -> Loaded:
    (folder / "config.toml").write_text(HEAD + more)
    return load(folder / "config.toml")


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('[[source]]\nid = "a"\nkind = "rss"\nurl = "http://10.0.0.1/x"', "source[0].url"),
        ('[[source]]\nid = "a"\nkind = "rss"\nurl = "http://[::1]:80/x"', "source[0].url"),
        (MAIL.replace('h.example"\nsender', '127.0.0.1"\nsender'), "receiver[0].host"),
    ],
)
def test_a_private_address_that_is_not_allowed_is_found(
    tmp_path: Path, table: str, key: str
) -> None:
    [told] = private_addresses(_town(tmp_path, table))
    assert told.startswith(f"config.toml: {key}: ")
    assert "allow_private = true" in told
    assert not list(private_addresses(_town(tmp_path, f"{table}\nallow_private = true")))


def test_public_addresses_and_names_are_no_finding(tmp_path: Path) -> None:
    table = '[[source]]\nid = "a"\nkind = "rss"\nurl = "https://presse.example/x"'
    assert not list(private_addresses(_town(tmp_path, table)))


@pytest.mark.timeout(60)  # loads the model, beside other work
def test_folders_that_cannot_be_used_are_found(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    town = _town(tmp_path, '[rules]\ndirectory = "regles"')
    told = "\n".join(findings(town))
    assert f"{tmp_path}/regles: cannot read the rules" in told
    (tmp_path / "config.toml").write_text(
        '[veille]\nname = "x"\ndata_dir = "letter/data"\n[[watch]]\nid = "a"\n'
    )
    told = "\n".join(findings(load(tmp_path / "config.toml")))
    assert f"veille.data_dir: {tmp_path}/letter/data" in told
    assert not (tmp_path / "letter/data").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.timeout(60)
def test_a_data_folder_of_somebody_else_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    told = "\n".join(findings(_town(tmp_path, "")))
    assert "cannot be written to" in told


def test_a_rule_that_looks_back_further_than_mentions_are_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    text = "rules: [{id: v, kind: spike, baseline: previous, window: 1d, min_count: 9, MORE}]"
    (tmp_path / "rules" / "r.yml").write_text(text.replace("MORE", "severity: info"))
    short = '[rules]\ndirectory = "rules"\n[privacy.retention]\nneutral = "7d"\n'
    (told,) = short_memories(_town(tmp_path, short))
    assert told.startswith(f"{tmp_path / 'rules' / 'r.yml'}:1: rule v looks back 13d")
    assert 'neutral = "7d"' in told
    assert "points: 6 or less" in told
    (told,) = short_memories(_town(tmp_path, short.replace("7d", "2d")))
    assert told.endswith("before: write a shorter window")
    assert list(short_memories(_town(tmp_path, short.replace("7d", "13d")))) == []


@pytest.mark.parametrize(
    ("text", "at", "key"),
    [
        (f"{BUS}client_id = 'c'\n{SECOND}port = 1883\nclient_id = 'c'", "source[1]", "client_id"),
        (BUS + TOLD, "receiver[0]", "node"),
    ],
)
def test_two_that_would_throw_each_other_out_of_a_broker_are_refused(
    text: str, at: str, key: str
) -> None:
    with pytest.raises(ConfigError, match=r"source\[0\] on the same broker") as error:
        parse(HEAD + text, name="config.toml")
    assert str(error.value).startswith(f"config.toml: {at}: client id")
    assert str(error.value).endswith(f"write another {key}")
    parse(HEAD + BUS + SECOND + TOLD.replace('"bus"', '"sortie"'), name="config.toml")
    parse(HEAD + BUS + TOLD + "tls = true", name="config.toml")  # another port, another broker


@pytest.mark.parametrize("place", ["33", "2A", "974", "33063", "2A004", "97411", "99001"])
def test_communes_and_departements_are_a_territory(place: str) -> None:
    config = parse(f'{HEAD}territory = ["{place}"]', name="config.toml")
    assert config.watch[0].territory == [place]


def test_a_label_no_alert_has_is_named_with_its_route(tmp_path: Path) -> None:
    nested = DEEP.replace("a = 'b'", "topik = 'b'")
    told = "\n".join(findings(_town(tmp_path, nested)))
    assert f'{AT}.match: "topik" does not exist' in told


@pytest.mark.timeout(60)  # loads the model, beside other work
def test_a_bad_webhook_secret_is_named_with_file_and_source(tmp_path: Path) -> None:
    key = "SIGNING"
    (tmp_path / "secrets.toml").touch(mode=0o600)
    (tmp_path / "secrets.toml").write_text(f'{key} = "court"\nPSEUDONYM_KEY = "{"k" * 32}"\n')
    door = f'[[source]]\nid = "formulaire"\nkind = "webhook"\nsecret = "{key}"\n'
    (told,) = findings(_town(tmp_path, door))
    assert told.startswith(f"source formulaire: {tmp_path}/secrets.toml: {key}: ")
    assert "whsec_" in told
    assert "court" not in told
