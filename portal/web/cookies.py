"""The three cookies, and the only place that writes any (R19)."""

import re

from portal.settings import Settings

SESSION = "sid"
ANONYMOUS = "csrf"
STEP = "step"

_VALUE = re.compile(r"[A-Za-z0-9_-]+")
"""What we write into a cookie: URL-safe base64."""


def name_of(cookie: str, settings: Settings) -> str:
    """`__Host-` binds a cookie to this very host; browsers take that prefix over https only."""
    return f"__Host-{cookie}" if settings.secure_cookies else cookie


def read(header: str, settings: Settings) -> dict[str, str]:
    """Our cookies of a Cookie header by short name, the last where one comes twice; anything else, however malformed, is passed over."""
    names = {name_of(cookie, settings): cookie for cookie in (SESSION, ANONYMOUS, STEP)}
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return {names[name]: value for name, _, value in pairs if name in names and _VALUE.fullmatch(value)}


def write(cookie: str, value: str, settings: Settings) -> str:
    """A Set-Cookie header. No cookie outlives the browser; the server decides how long a session lives."""
    same_site = "Lax" if cookie == SESSION else "Strict"
    secure = "; Secure" if settings.secure_cookies else ""
    return f"{name_of(cookie, settings)}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}"


def clear(cookie: str, settings: Settings) -> str:
    """A Set-Cookie header that removes it."""
    return write(cookie, "", settings) + "; Max-Age=0"
