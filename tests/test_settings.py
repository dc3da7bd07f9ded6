"""Test how settings are read from the environment: the error message for a bad value names the variable (R86)."""

import subprocess
import sys
from pathlib import Path

import pytest

from portal.settings import CannotStart, Settings

GOOD_SECRET = "kX7-vT3pQ9mZ2wR8_bN5cL1jH6fD4sAy"
PRODUCTION = {
    "PORTAL_SECRET": GOOD_SECRET,
    "PORTAL_BASE_URL": "https://desk.company.example",
    "PORTAL_DATA": "/srv/portal",
}


def test_production_needs_a_secret_and_an_https_address_and_nothing_else() -> None:
    settings = Settings.from_environment(PRODUCTION)
    assert settings.environment == "production"
    assert settings.secure_cookies
    assert settings.allowed_hosts == ("desk.company.example",)
    assert settings.storage_url == "file:///srv/portal/files"
    assert settings.demo_password is None
    assert (settings.app_url, settings.owner_url) == (None, None), "then the embedded server is used"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORTAL_SECRET", "", "is missing"),
        ("PORTAL_SECRET", "short-but-random-8fj2", "is too short"),
        ("PORTAL_SECRET", "x" * 64, "can be guessed"),
        ("PORTAL_SECRET", "changeme-0123456789-abcdefghijklmn", "can be guessed"),
        ("PORTAL_FORMER_SECRET", "short-but-random-8fj2", "is too short"),
        ("PORTAL_TRUSTED_PROXIES", "proxy.company.example", "must be like 127.0.0.1, 10.0.0.0/8"),
        ("PORTAL_METRICS_TOKEN", "guess-me", "is too short"),
        ("PORTAL_LOG_LEVEL", "loud", "must be debug, info, warning or error"),
        ("PORTAL_SMTP_URL", "mail.company.example:25", "must be like smtps://"),
        ("PORTAL_MAIL_FROM", "Support", "must be an address"),
        ("PORTAL_MAIL_FROM", "a@b.example\r\nBcc: c@d.example", "must be an address"),
        ("PORTAL_REQUIRE_SECOND_FACTOR", "true", "must be yes or no"),
        ("PORTAL_BASE_URL", "http://desk.company.example", "must begin with https"),
        ("PORTAL_BASE_URL", "", "must begin with https"),
        ("PORTAL_BASE_URL", "http://127.0.0.1:8000", "must begin with https"),
        ("PORTAL_BASE_URL", "https://desk.company.example/portal", "without a path"),
        ("PORTAL_BASE_URL", "https://user@desk.company.example", "without a path"),
        ("PORTAL_BASE_URL", "https://desk.company.example:99999", "must be like"),
        ("PORTAL_BASE_URL", "desk.company.example", "must be like"),
        ("PORTAL_ENVIRONMENT", "prod", "must be production, demo or test"),
        ("PORTAL_WORKERS", "0", "from 1 to 64"),
        ("PORTAL_WORKERS", "two", "from 1 to 64"),
        ("PORTAL_WORKERS", "٢", "from 1 to 64"),
        ("PORTAL_POOL_SIZE", "-1", "from 1 to 100"),
        ("PORTAL_STORAGE_URL", "/srv/files", "must begin with file://"),
        ("DATABASE_URL", "mysql://localhost/portal", "must begin with postgresql://"),
        ("DATABASE_OWNER_URL", "portal", "must begin with postgresql://"),
        ("PORTAL_DEMO_PASSWORD", "correct horse battery", "production has no demo accounts"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, sentence: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        Settings.from_environment(PRODUCTION | {name: value})
    assert str(refusal.value).startswith(name)
    assert sentence in str(refusal.value)
    assert GOOD_SECRET not in str(refusal.value)


def test_the_demo_serves_http_on_loopback_only(tmp_path: Path) -> None:
    """R19, R43: plain HTTP is allowed only for the demo on the loopback interface."""
    demo = {"PORTAL_ENVIRONMENT": "demo", "PORTAL_DATA": str(tmp_path), "PORTAL_BASE_URL": "http://127.0.0.1:8123"}
    settings = Settings.from_environment(demo)
    assert not settings.secure_cookies
    assert settings.allowed_hosts == ("127.0.0.1:8123", "localhost:8123", "[::1]:8123")
    with pytest.raises(CannotStart, match="only 127.0.0.1 and localhost"):
        Settings.from_environment(demo | {"PORTAL_BASE_URL": "http://192.0.2.7:8123"})


def test_the_demo_needs_only_a_server_to_send_mails(tmp_path: Path) -> None:
    """If only `PORTAL_SMTP_URL` is set, the demo sends mails in the name of the demo's company.

    Production also needs `PORTAL_MAIL_FROM`.
    """
    server = {"PORTAL_SMTP_URL": "smtp://127.0.0.1:2525"}
    demo = Settings.from_environment({"PORTAL_ENVIRONMENT": "demo", "PORTAL_DATA": str(tmp_path)} | server)
    assert demo.mail_from == "Halden IT <support@desk.example>"
    with pytest.raises(CannotStart, match="PORTAL_MAIL_FROM must be an address"):
        Settings.from_environment(PRODUCTION | {"PORTAL_MAIL_FROM": ""} | server)


def test_the_demo_makes_its_secrets_once_for_its_owner_only(tmp_path: Path) -> None:
    demo = {"PORTAL_ENVIRONMENT": "demo", "PORTAL_DATA": str(tmp_path / "data")}
    first, second = Settings.from_environment(demo), Settings.from_environment(demo)
    other = Settings.from_environment(demo | {"PORTAL_DATA": str(tmp_path / "other")})
    assert (first.secret, first.demo_password) == (second.secret, second.demo_password)
    assert first.secret != other.secret
    assert first.demo_password != other.demo_password
    assert len(first.secret) >= 32
    assert len(first.demo_password or "") >= 12
    for name in ("secret", "demo-password"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600
    given = Settings.from_environment(demo | {"PORTAL_DEMO_PASSWORD": "correct horse battery"})
    assert given.demo_password == "correct horse battery"
    with pytest.raises(CannotStart, match="^PORTAL_DEMO_PASSWORD must have 12 to 128"):
        Settings.from_environment(demo | {"PORTAL_DEMO_PASSWORD": "short"})


def test_a_data_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="^PORTAL_SECRET is not set and cannot be kept in .*/file/secret: "):
        Settings.from_environment({"PORTAL_ENVIRONMENT": "demo", "PORTAL_DATA": str(tmp_path / "file")})


def test_a_child_process_reads_the_same_settings(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        PRODUCTION | {"DATABASE_URL": "postgresql://portal_app@db/portal", "PORTAL_WORKERS": "4"}
    )
    assert Settings.from_environment(settings.as_environment()) == settings
    demo = Settings.from_environment({"PORTAL_ENVIRONMENT": "demo", "PORTAL_DATA": str(tmp_path)})
    assert Settings.from_environment(demo.as_environment()) == demo


def test_the_app_becomes_its_role_only_where_the_url_is_the_owners(tmp_path: Path) -> None:
    own = PRODUCTION | {"DATABASE_URL": "postgresql://portal_app@db/portal"}
    assert Settings.from_environment(own).app_role is None
    both = Settings.from_environment(own | {"DATABASE_OWNER_URL": "postgresql://owner@db/portal"})
    assert (both.app_url, both.owner_url) == ("postgresql://portal_app@db/portal", "postgresql://owner@db/portal")
    test = {"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": str(tmp_path), "DATABASE_URL": "postgresql://owner@db/portal"}
    assert Settings.from_environment(test).app_role == "portal_app"


def test_the_text_form_shows_no_secret() -> None:
    assert GOOD_SECRET not in repr(Settings.from_environment(PRODUCTION))


@pytest.mark.slow
@pytest.mark.infra
@pytest.mark.parametrize(
    "command", [["serve"], ["migrate"], ["worker"], ["admin", "create", "--name", "N", "--email", "n@desk.example"]]
)
def test_each_command_refuses_to_start_without_a_secret(command: list[str]) -> None:
    """R86: without PORTAL_SECRET each command refuses to start, in one line, before it starts any process."""
    done = subprocess.run(
        [sys.executable, "-m", "portal", *command], env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "PORTAL_" in done.stderr
