"""Create the random challenges that passkeys sign (R10).

A challenge travels in the form that asks for the passkey, encrypted and signed ("sealed"), so that showing the page
writes nothing to the database.
"""

import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from portal.errors import Invalid
from portal.people.factors.passkeys import Challenge, RelyingParty
from portal.sealing import Broken
from portal.settings import LOOPBACK
from portal.web.visit import Web, visit_of

GOOD_FOR = timedelta(minutes=5)
TOO_OLD = "This took longer than five minutes. Try again."


def relying_party_of(request: Web) -> RelyingParty | None:
    """Return the site to which passkeys are bound: the site of the setting `base_url`.

    If the host of `base_url` is this machine, return `localhost` with the port of the request. In this case, return
    None for a request whose Host header is an IP address, because browsers bind passkeys to host names only.
    """
    base = visit_of(request).settings.base_url
    url = urlsplit(base)
    if url.hostname not in LOOPBACK:
        return RelyingParty(str(url.hostname), base)
    host = request.headers.get("host", "")  # The gate has checked that this is an allowed host.
    is_local = urlsplit(f"//{host}").hostname == "localhost"
    return RelyingParty("localhost", f"{url.scheme}://{host}") if is_local else None


def new_challenge(request: Web, purpose: str, login_id: int) -> tuple[bytes, str]:
    """Return a new challenge, and the same challenge sealed, as text for a hidden field of the form.

    The sealed text is valid for five minutes, for one login and one purpose, such as "sign in".
    """
    visit, value = visit_of(request), secrets.token_bytes(32)
    text = f"{value.hex()} {visit.at.timestamp()}"
    return value, visit.settings.sealer.seal(_name(purpose, login_id), text, visit.at)


def challenge_of(request: Web, purpose: str, login_id: int, sealed: str) -> Challenge:
    """Return the challenge that `new_challenge` sealed into the form for this purpose and login.

    Raise `Invalid` if `sealed` is forged or older than five minutes.
    """
    visit = visit_of(request)
    try:
        text = visit.settings.sealer.open(_name(purpose, login_id), sealed, visit.at, within=GOOD_FOR)
    except Broken as error:
        raise Invalid({"": TOO_OLD}) from error
    value, _, issued = text.partition(" ")
    return Challenge(bytes.fromhex(value), datetime.fromtimestamp(float(issued), UTC))


def _name(purpose: str, login_id: int) -> str:
    return f"passkey to {purpose} {login_id}"
