"""Which addresses may be reached: public ones, private ones only where the settings say so."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from veille.domain.errors import ConfigError
from veille.net.lookup import SystemResolver, look_up

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Named one by one: `is_global` differs between Python 3.11 releases, and calls multicast global.
# IANA special-purpose registries (RFC 6890, RFC 6598); 168.63.129.16 is Azure's metadata host.
_REFUSED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001:db8::/32",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits


def is_public(address: str) -> bool:
    """Whether an IP address is an ordinary one of the Internet, IPv4 inside IPv6 unwrapped."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return not any(
        one in network
        for one in _unwrapped(parsed)
        for network in _REFUSED
        if one.version == network.version
    )


def check_url(url: str, *, allow_private: bool) -> str:
    """Return the host of an http(s) URL; ConfigError for another scheme or a private literal.

    A name passes: its addresses are checked when the connection is made.
    """
    try:
        parsed = URL(url)  # aiohttp's own parser: two parsers can read one URL differently
        host = parsed.raw_host
    except (ValueError, TypeError) as error:
        raise ConfigError("not a URL: write https://host/path") from error
    if parsed.scheme not in {"http", "https"} or not host:
        raise ConfigError("not an http or https URL: write https://host/path")
    check_literal(host, allow_private=allow_private)
    return same_host(host)


def check_literal(host: str, *, allow_private: bool) -> None:
    """Do nothing for a name or an address that may be reached; ConfigError for another address."""
    if _is_literal(host) and not allow_private and not is_public(host):
        raise refusal(host)


def same_host(host: str) -> str:
    """Return a host name as it is compared: lower case, punycode, no final dot."""
    try:
        encoded = URL.build(scheme="http", host=host).raw_host
    except ValueError:
        encoded = None
    return (encoded or host).lower().rstrip(".")


def refusal(host: str, *, is_listed: bool = False) -> ConfigError:
    """Return the error for a host with a private address, with the remedy."""
    if is_listed:
        return ConfigError(
            f"{host}: listed in allow_hosts, but its address is private: refused. If it is meant, "
            "write its URL as the url of this source or receiver, with allow_private = true"
        )
    return ConfigError(
        f"{host}: a private, local or reserved address: refused. If it is meant, add to this "
        "source or receiver the line: allow_private = true"
    )


def redirect_refusal(start: str, host: str) -> ConfigError:
    """Return the error for a redirect to a host that nobody listed, with the line to add."""
    return ConfigError(
        f"{start}: redirects to {host}, which is not listed. If it is meant, add to this source "
        f'or receiver the line: allow_hosts = ["{host}"]'
    )


async def check_host(
    host: str, port: int, *, allow_private: bool, resolve: Resolve | None = None
) -> tuple[str, ...]:
    """Return the addresses of a host, all of them allowed; for SMTP and MQTT before they connect.

    Connect to one of these addresses (the name stays for TLS) to be safe from a changed answer.
    Raises ConfigError for a private address, OSError when the name is unknown.
    """
    found = (host,) if _is_literal(host) else tuple(await (resolve or system_resolve)(host, port))
    if not allow_private and not all(map(is_public, found)):
        raise refusal(host)
    return found


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Return every address the system's resolver gives, best first; OSError when there is none."""
    return [address for _, address in await look_up(host, port)]


class GuardedResolver(AbstractResolver):
    """Resolves names at connect time, and refuses a name if any one of its addresses is refused."""

    def __init__(
        self,
        *,
        allow_private: bool,
        allow_hosts: Sequence[str],
        inner: AbstractResolver | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._listed = frozenset(map(same_host, allow_hosts))
        self._inner = inner or SystemResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        is_listed = same_host(host) in self._listed
        # Hosts of allow_hosts are reached by somebody else's word: allow_private is not for them.
        is_private_allowed = self._allow_private and not is_listed
        if not is_private_allowed and not all(is_public(answer["host"]) for answer in found):
            raise refusal(host, is_listed=is_listed)
        return found

    async def close(self) -> None:
        await self._inner.close()


def _unwrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    inner: list[IPv4Address | IPv6Address] = [address]
    inner += [address.sixtofour] if address.sixtofour else []
    inner += address.teredo or ()
    inner += [IPv4Address(int(address) & 0xFFFFFFFF)] if address in _NAT64 else []
    return inner


def _is_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        # 127.1 and 2130706433 are addresses to some resolvers; as names of the Internet they do
        # not exist: the last label of a name is never a number.
        last = host.rstrip(".").rpartition(".")[2]
        return last.isdigit() or last.lower().startswith("0x")
    return True
