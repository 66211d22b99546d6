"""Addresses: what is not of the Internet is refused, however it is written."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from veille.domain.errors import ConfigError
from veille.net.guard import GuardedResolver, check_host, check_url, is_public

PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "64:ff9b:1::1",
]
PUBLIC = [
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_every_spelling(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_an_ipv4_address_hides_in_no_ipv6_address(address: IPv4Address) -> None:
    number = int(address)
    low = f"{number >> 16:x}:{number & 0xFFFF:x}"
    for spelling in (f"::ffff:{low}", f"64:ff9b::{low}", f"2002:{low}::5", f"::{low}"):
        assert not is_public(spelling)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]:8080/x",
        "https://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://10.0.0.1./",
    ],
)
def test_a_private_literal_is_refused_with_the_line_to_add(url: str) -> None:
    with pytest.raises(ConfigError, match="allow_private = true"):
        check_url(url, allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "//example.org",
        "http://",
        "",
        "http://[",
        "x",
        "gopher://127.0.0.1:25/",
        "http://a:99999999/",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        check_url(url, allow_private=True)


@given(st.text(max_size=40))
def test_any_text_is_a_url_or_a_config_error(url: str) -> None:
    for candidate in (url, f"http://{url}"):
        try:
            check_url(candidate, allow_private=False)
        except ConfigError:
            continue


def test_hosts_are_compared_without_case_or_final_dot() -> None:
    assert check_url("https://Presse.Example./x", allow_private=False) == "presse.example"
    assert check_url("https://mairie-été.example/", allow_private=False).startswith("xn--")


class Answers(AbstractResolver):
    """Stands for DNS: gives the answers it was made with."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=0)
            for a in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def test_one_private_answer_among_public_ones_refuses_the_name() -> None:
    resolver = GuardedResolver(
        allow_private=False, allow_hosts=(), inner=Answers("8.8.8.8", "10.0.0.1")
    )
    with pytest.raises(ConfigError, match=r"presse\.example: .*allow_private = true"):
        await resolver.resolve("presse.example", 443)


async def test_allow_private_is_not_for_hosts_of_allow_hosts() -> None:
    resolver = GuardedResolver(
        allow_private=True, allow_hosts=["www.presse.example"], inner=Answers("10.0.0.1")
    )
    assert await resolver.resolve("presse.example", 443)
    with pytest.raises(ConfigError, match="listed in allow_hosts, but its address is private"):
        await resolver.resolve("WWW.presse.example.", 443)


async def answers(host: str, port: int) -> Sequence[str]:
    return ["10.0.0.25"] if host == "smtp.mairie.example" else ["8.8.8.8", "2001:4860::1"]


async def test_mail_and_broker_hosts_are_checked_before_they_are_called() -> None:
    found = await check_host("smtp.example", 587, allow_private=False, resolve=answers)
    assert found == ("8.8.8.8", "2001:4860::1")
    with pytest.raises(ConfigError, match="allow_private = true"):
        await check_host("smtp.mairie.example", 587, allow_private=False, resolve=answers)
    assert await check_host("smtp.mairie.example", 587, allow_private=True, resolve=answers)
    with pytest.raises(ConfigError):
        await check_host("127.0.0.1", 1883, allow_private=False)
    with pytest.raises(ConfigError):
        await check_host("localhost", 1883, allow_private=False)
