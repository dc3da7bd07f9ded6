"""Read the settings from environment variables and check them.

The portal does not start with an invalid setting (R86).
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from portal.logs import LEVELS
from portal.mailboxes import for_mail
from portal.sealing import Sealer

Environment = Literal["production", "demo", "test"]

LEAST_SECRET = 32
LEAST_PASSWORD = 12
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEMO_SENDER = "Halden IT <support@desk.example>"
"""The sender of the demo's mails: the demo's company. To send mails, the demo thus needs nothing but an SMTP server."""
_STORAGE_SCHEMES = ("file", "s3", "gs", "az", "azure", "abfs", "abfss", "adl")
_GIVEN_AWAY = ("changeme", "change-me", "change_me", "example", "insecure", "password", "default")
_LEAST_DISTINCT = 10


class CannotStart(Exception):
    """A command of the portal cannot do its work. The text is one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Settings:
    """All settings in which two installations may differ. `repr` omits the secrets."""

    environment: Environment
    base_url: str
    """Scheme, host and port, without a trailing slash. Every link in a mail begins with this URL (R8)."""
    data: Path
    """The data folder: generated secrets and, by default, the stored files and the embedded database."""
    storage_url: str
    database_url: str | None
    """The URL of an external database with the login role of the app, or None for the embedded server."""
    database_owner_url: str | None
    """The URL of the database with the role that owns the tables, for migrations and backups, or None."""
    secret: str
    former_secret: str | None
    """The previous secret, still accepted while the secret is being rotated (R87)."""
    smtp_url: str | None
    """The URL of the SMTP server. If it is None, the portal sends no mail and offers nothing that needs mail."""
    mail_from: str | None
    """The sender of every mail, perhaps with a name: `Halden IT <support@halden.example>`."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """Networks of the proxies whose `X-Forwarded-For` is trusted; none by default (R6)."""
    metrics_token: str | None
    """The bearer token that `/metrics` requires. If it is None, `/metrics` responds with 404."""
    log_level: str
    require_second_factor: bool
    """Whether agents must set up a second factor before they can do anything else (R9)."""
    demo_password: str | None
    workers: int
    """The number of web processes."""
    pool_size: int
    """The maximum number of database connections of each web process."""

    def __repr__(self) -> str:
        return f"Settings({self.environment}, {self.base_url}, {self.data})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings that the environment variables contain. An empty value counts as missing.

        Raise `CannotStart` with the name of the first invalid variable. For demo and test, a missing secret and a
        missing demo password are generated and stored in the data folder.
        """
        environment = _environment(environ.get("PORTAL_ENVIRONMENT") or "production")
        data = Path(
            environ.get("PORTAL_DATA") or ("/var/lib/portal" if environment == "production" else ".data")
        ).absolute()
        return cls(
            environment=environment,
            base_url=_base_url(environ.get("PORTAL_BASE_URL") or "http://127.0.0.1:8000", environment),
            data=data,
            storage_url=_storage_url(environ.get("PORTAL_STORAGE_URL") or f"file://{data}/files"),
            database_url=_database_url("DATABASE_URL", environ.get("DATABASE_URL")),
            database_owner_url=_database_url("DATABASE_OWNER_URL", environ.get("DATABASE_OWNER_URL")),
            secret=_secret(environ.get("PORTAL_SECRET"), environment, data),
            former_secret=_long_enough("PORTAL_FORMER_SECRET", environ.get("PORTAL_FORMER_SECRET") or None),
            smtp_url=_smtp_url(environ.get("PORTAL_SMTP_URL")),
            mail_from=_mail_from(
                environ.get("PORTAL_MAIL_FROM") or (DEMO_SENDER if environment == "demo" else None),
                needed=bool(environ.get("PORTAL_SMTP_URL")),
            ),
            trusted_proxies=_networks("PORTAL_TRUSTED_PROXIES", environ.get("PORTAL_TRUSTED_PROXIES") or ""),
            metrics_token=_long_enough("PORTAL_METRICS_TOKEN", environ.get("PORTAL_METRICS_TOKEN") or None),
            log_level=_log_level(
                environ.get("PORTAL_LOG_LEVEL") or ("info" if environment == "production" else "warning")
            ),
            require_second_factor=_yes(
                "PORTAL_REQUIRE_SECOND_FACTOR",
                environ.get("PORTAL_REQUIRE_SECOND_FACTOR") or ("yes" if environment == "production" else "no"),
            ),
            demo_password=_demo_password(environ.get("PORTAL_DEMO_PASSWORD"), environment, data),
            workers=_number("PORTAL_WORKERS", environ.get("PORTAL_WORKERS") or "2", 1, 64),
            pool_size=_number("PORTAL_POOL_SIZE", environ.get("PORTAL_POOL_SIZE") or "10", 1, 100),
        )

    def as_environment(self) -> dict[str, str]:
        """Return the environment variables from which a child process reads the same settings."""
        given = {
            "PORTAL_ENVIRONMENT": self.environment,
            "PORTAL_BASE_URL": self.base_url,
            "PORTAL_DATA": str(self.data),
            "PORTAL_STORAGE_URL": self.storage_url,
            "DATABASE_URL": self.database_url,
            "DATABASE_OWNER_URL": self.database_owner_url,
            "PORTAL_SECRET": self.secret,
            "PORTAL_FORMER_SECRET": self.former_secret,
            "PORTAL_SMTP_URL": self.smtp_url,
            "PORTAL_MAIL_FROM": self.mail_from,
            "PORTAL_TRUSTED_PROXIES": ",".join(map(str, self.trusted_proxies)),
            "PORTAL_METRICS_TOKEN": self.metrics_token,
            "PORTAL_LOG_LEVEL": self.log_level,
            "PORTAL_REQUIRE_SECOND_FACTOR": "yes" if self.require_second_factor else "no",
            "PORTAL_DEMO_PASSWORD": self.demo_password,
            "PORTAL_WORKERS": str(self.workers),
            "PORTAL_POOL_SIZE": str(self.pool_size),
        }
        return {name: value for name, value in given.items() if value is not None}

    @cached_property
    def sealer(self) -> Sealer:
        """Return the object that encrypts and signs texts, with the secret of this installation."""
        return Sealer(self.secret, *([self.former_secret] if self.former_secret else []))

    @property
    def secure_cookies(self) -> bool:
        """Return whether cookies have the attribute `Secure` and the prefix `__Host-`: they do on https (R19)."""
        return self.base_url.startswith("https://")

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """Return the values of the Host header that are accepted (R43).

        If the base URL names a loopback host, `localhost` and the loopback IP addresses are all accepted.
        """
        url = urlsplit(self.base_url)
        if url.hostname not in LOOPBACK:
            return (url.netloc,)
        port = f":{url.port}" if url.port else ""
        return tuple(f"{host}{port}" for host in ("127.0.0.1", "localhost", "[::1]"))

    @property
    def app_url(self) -> str | None:
        """Return the database URL that the app connects with, or None if the embedded server has yet to be started."""
        return self.database_url or self.database_owner_url

    @property
    def app_role(self) -> str | None:
        """Return the database role that the app switches to after connecting, or None if it does not switch.

        The app switches if it connects as the owner of the tables. That is the case without a `database_url` and,
        outside production, also without a `database_owner_url`.
        """
        if self.database_url is None:
            return "portal_app"
        return "portal_app" if self.environment != "production" and self.database_owner_url is None else None

    @property
    def owner_url(self) -> str | None:
        """Return the database URL of migrations and backups, or None if the embedded server has yet to be started."""
        return self.database_owner_url or self.database_url


def _environment(value: str) -> Environment:
    for known in get_args(Environment):
        if value == known:
            return cast(Environment, known)
    raise CannotStart(f"PORTAL_ENVIRONMENT is {value!r}: it must be production, demo or test.")


def _base_url(value: str, environment: Environment) -> str:
    try:
        url = urlsplit(value)
        usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        usable = False
    if not usable or url.path not in ("", "/") or url.query or url.fragment or "@" in url.netloc:
        raise CannotStart(
            f"PORTAL_BASE_URL is {value!r}: it must be like https://portal.company.example, without a path."
        )
    if url.scheme == "http" and environment == "production":
        raise CannotStart(f"PORTAL_BASE_URL is {value!r}: in production it must begin with https://.")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise CannotStart(f"PORTAL_BASE_URL is {value!r}: without https only 127.0.0.1 and localhost are served.")
    return f"{url.scheme}://{url.netloc}"


def _storage_url(value: str) -> str:
    if urlsplit(value).scheme not in _STORAGE_SCHEMES:
        raise CannotStart("PORTAL_STORAGE_URL must begin with file://, s3://, gs:// or az://.")
    return value


def _database_url(name: str, value: str | None) -> str | None:
    if value and urlsplit(value).scheme not in ("postgres", "postgresql"):
        raise CannotStart(f"{name} must begin with postgresql://.")
    return value or None


def _smtp_url(value: str | None) -> str | None:
    if not value:
        return None
    try:
        url = urlsplit(value)
        usable = url.scheme in ("smtp", "smtps") and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or url.path not in ("", "/") or url.query or url.fragment:
        # The value is not repeated, because it may contain a password.
        raise CannotStart("PORTAL_SMTP_URL must be like smtps://user:password@mail.company.example:465.")
    return value


def _mail_from(value: str | None, *, needed: bool) -> str | None:
    if not value and not needed:
        return None
    try:
        for_mail(parseaddr(value or "")[1])
    except ValueError:
        value = None
    if not value or not value.isprintable():
        raise CannotStart("PORTAL_MAIL_FROM must be an address, such as Support <support@company.example>.")
    return value


def _secret(value: str | None, environment: Environment, data: Path) -> str:
    if not value:
        if environment == "production":
            raise CannotStart(f"PORTAL_SECRET is missing: set it to at least {LEAST_SECRET} random characters.")
        return _kept(data / "secret", lambda: secrets.token_urlsafe(48), "PORTAL_SECRET")
    _long_enough("PORTAL_SECRET", value)
    if len(set(value)) < _LEAST_DISTINCT or any(word in value.lower() for word in _GIVEN_AWAY):
        raise CannotStart("PORTAL_SECRET can be guessed: set it to random characters of your own.")
    return value


def _long_enough(name: str, value: str | None) -> str | None:
    if value and len(value) < LEAST_SECRET:
        raise CannotStart(f"{name} is too short: it needs at least {LEAST_SECRET} random characters.")
    return value


def _demo_password(value: str | None, environment: Environment, data: Path) -> str | None:
    if environment == "production":
        if value:
            raise CannotStart("PORTAL_DEMO_PASSWORD is set, but production has no demo accounts: unset it.")
        return None
    if value and not LEAST_PASSWORD <= len(value) <= 128:
        raise CannotStart(f"PORTAL_DEMO_PASSWORD must have {LEAST_PASSWORD} to 128 characters.")
    return value or _kept(
        data / "demo-password", lambda: "-".join(secrets.token_hex(2) for _ in range(4)), "PORTAL_DEMO_PASSWORD"
    )


def _networks(name: str, value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(one.strip()) for one in value.split(",") if one.strip())
    except ValueError:
        raise CannotStart(f"{name} is {value!r}: it must be like 127.0.0.1, 10.0.0.0/8.") from None


def _log_level(value: str) -> str:
    if value not in LEVELS:
        raise CannotStart(f"PORTAL_LOG_LEVEL is {value!r}: it must be {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.")
    return value


def _yes(name: str, value: str) -> bool:
    if value not in ("yes", "no"):
        raise CannotStart(f"{name} is {value!r}: it must be yes or no.")
    return value == "yes"


def _number(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise CannotStart(f"{name} is {value!r}: it must be a whole number from {least} to {most}.")
    return int(value)


def _kept(path: Path, make: Callable[[], str], name: str) -> str:
    """Return the value in the file `path`. If there is no file, create it with the value that `make` returns.

    Only the owner can read the file (mode 0600). Raise `CannotStart`, which mentions the setting `name`, if this fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(make() + "\n")
            with contextlib.suppress(FileExistsError):  # Another process was faster: use its value.
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise CannotStart(f"{name} is not set and cannot be kept in {path}: {error.strerror}.") from error
