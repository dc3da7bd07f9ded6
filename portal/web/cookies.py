"""Read and write the three cookies of the portal; no other module writes cookies (R19)."""

import re

from portal.settings import Settings

SESSION = "sid"
ANONYMOUS = "csrf"
STEP = "step"

_VALUE = re.compile(r"[A-Za-z0-9_-]+")
"""The characters that the portal's cookie values consist of: URL-safe base64."""


def name_of(cookie: str, settings: Settings) -> str:
    """Return the full name of a cookie.

    If the portal is served by https, the name has the prefix `__Host-`, which makes browsers bind it to this host.
    """
    return f"__Host-{cookie}" if settings.secure_cookies else cookie


def read(header: str, settings: Settings) -> dict[str, str]:
    """Return the values of the portal's cookies in a Cookie header, by their short names, such as `sid`.

    Other cookies are ignored, and so are values that `_VALUE` does not match. If two cookies have the same name, the
    last one counts.
    """
    names = {name_of(cookie, settings): cookie for cookie in (SESSION, ANONYMOUS, STEP)}
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return {names[name]: value for name, _, value in pairs if name in names and _VALUE.fullmatch(value)}


def write(cookie: str, value: str, settings: Settings) -> str:
    """Return the value of a Set-Cookie header for a cookie that lasts until the browser is closed.

    The cookie has no maximum age, because the server decides how long a session lasts.
    """
    same_site = "Lax" if cookie == SESSION else "Strict"
    secure = "; Secure" if settings.secure_cookies else ""
    return f"{name_of(cookie, settings)}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}"


def clear(cookie: str, settings: Settings) -> str:
    """Return the value of a Set-Cookie header that deletes the cookie."""
    return write(cookie, "", settings) + "; Max-Age=0"
