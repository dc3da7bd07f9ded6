"""Test which cookies are read from a Cookie header."""

from pathlib import Path

import pytest

from portal.settings import Settings
from portal.web import cookies


def settings(folder: Path, url: str) -> Settings:
    return Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": str(folder), "PORTAL_BASE_URL": url})


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("sid=abc_-9; csrf=def", {"sid": "abc_-9", "csrf": "def"}),
        ('a b=c; =; x; {"json": 1}; "quoted\\"=1; sid=abc', {"sid": "abc"}),
        ("sid=planted value; sid=abc", {"sid": "abc"}),
        ("sid=abc; sid=plan,ted", {"sid": "abc"}),
        ("sid=older;sid=abc", {"sid": "abc"}),
        ('sid=; csrf="def"; Sid=abc; xsid=abc', {}),
        ("", {}),
    ],
)
def test_a_malformed_cookie_hides_none_of_ours(tmp_path: Path, header: str, found: dict[str, str]) -> None:
    """R19: malformed cookies, or cookies set by another application on a sibling host, do not hide ours."""
    assert cookies.read(header, settings(tmp_path, "http://127.0.0.1:8000")) == found


def test_over_https_only_the_bound_names_count(tmp_path: Path) -> None:
    """R19: over HTTPS only cookies with the prefix `__Host-` are accepted."""
    secure = settings(tmp_path, "https://portal.example")
    assert secure.secure_cookies
    assert cookies.read("sid=planted; __Host-sid=abc", secure) == {"sid": "abc"}
