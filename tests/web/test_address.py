"""Test which `X-Forwarded-For` headers are trusted to find a client's IP address."""

from ipaddress import ip_network

import pytest

from portal.web.address import client_address

OURS = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def asked(peer: str, *forwarded: str, trusted: tuple[object, ...] = OURS) -> str:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", one.encode()) for one in forwarded)]
    return client_address({"client": (peer, 5000), "headers": headers}, trusted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        (
            "127.0.0.1",
            ["192.0.2.1, 198.51.100.7"],
            "198.51.100.7",
        ),  # The addresses further left were claimed by the client.
        (
            "127.0.0.1",
            ["192.0.2.1", "198.51.100.7, 10.0.0.9"],
            "198.51.100.7",
        ),  # Two trusted proxies each sent a header.
        ("127.0.0.1", ["10.0.0.8, 10.0.0.9"], "10.0.0.8"),  # The client is in our own network.
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, <script>, 10.0.0.9"], "10.0.0.9"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("203.0.113.5", ["198.51.100.7"], "203.0.113.5"),  # The header was sent by an untrusted peer.
    ],
)
def test_only_our_proxies_are_believed_and_only_of_their_own_peer(peer: str, forwarded: list[str], client: str) -> None:
    """R6: the header is read from the right, and the IP addresses of trusted proxies are skipped.

    The first entry that is not the IP address of a trusted proxy is the client. If that entry is malformed, or if there
    is no such entry, the trusted proxy that was read last counts as the client. A header from an untrusted peer is
    ignored.
    """
    assert asked(peer, *forwarded) == client


def test_nobody_is_believed_by_default() -> None:
    """R6: by default no proxy is trusted, not even one on the same machine."""
    assert asked("127.0.0.1", "198.51.100.7", trusted=()) == "127.0.0.1"


def test_without_a_peer_there_is_no_address() -> None:
    assert client_address({"client": None, "headers": []}, OURS) == "-"
