"""Name browsers by their `User-Agent` in the words of the people who use them."""

_BROWSERS = (
    # Most browsers also name others that stand below them here, so the first match is the right one.
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def named(user_agent: str) -> str:
    """Return a name such as "Firefox on Windows", or "Another program" for an unknown browser."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    if not browser:
        return f"Another program on {system}" if system else "Another program"
    return f"{browser} on {system}" if system else browser
