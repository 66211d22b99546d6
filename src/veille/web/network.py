"""Who is asking: the client's address, and whether a browser sent the request across sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from veille.domain.errors import ConfigError

Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(texts: Sequence[str]) -> Networks:
    """Return the networks that `web.trusted_proxies` names; ConfigError for a wrong one."""
    try:
        return tuple(ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise ConfigError(
            f'web.trusted_proxies: {error}; write addresses or networks ("10.0.0.0/8")'
        ) from error


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Networks) -> str:
    """Return the address of who asks: the last hop of X-Forwarded-For no trusted proxy owns.

    `forwarded` holds the header's lines in order. A line that is no address ends the walk, since
    whatever stands left of it was written by somebody unknown.
    """
    current = _address(peer or "")
    hops = [hop for line in forwarded for hop in line.split(",")]
    while current and hops and any(current in network for network in trusted):
        before = _address(hops.pop())
        if before is None:
            break
        current = before
    return str(current) if current else "local"


def throttle_address(address: str) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = _address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed) if parsed else address


def is_same_site(headers: Mapping[str, str], origin: str) -> bool:
    """Whether a browser says that a form was sent from our own page.

    Sec-Fetch-Site is believed first; browsers leave it out over plain http. Without it Origin must
    be ours; it is "null" under our own `Referrer-Policy: no-referrer`, and absent outside browsers.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return headers.get("Origin", "null").lower() in {origin, "null"}
