"""Find the IP address of the client that sent a request. It is part of rate-limit keys, and lists of sessions show it."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

UNKNOWN = "-"


def client_address(scope: Any, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """Return the client's IP address: the peer, or the client that the peer reports if the peer is a trusted proxy.

    `trusted` are the networks of the portal's own proxies. Each proxy appends its peer to `X-Forwarded-For`, so the
    client is the rightmost IP address that is not a trusted proxy. Entries to the left of the client's may be forged
    (R6). If the search meets an entry that is not an IP address, return the IP address of the trusted proxy that
    appended it. Return "-" if the server does not know its peer.
    """
    client: str = (scope.get("client") or (UNKNOWN, 0))[0]
    if not trusted:
        return client
    forwarded = [
        one
        for name, value in scope["headers"]
        if name == b"x-forwarded-for"
        for one in value.decode("latin-1").split(",")
    ]
    while forwarded and _is_ours(client, trusted):
        said = _parsed(forwarded.pop().strip())
        if said is None:
            break
        client = str(said)
    return client


def _is_ours(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed.version == one.version and parsed in one for one in trusted)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None) or parsed
