"""One's own account: password, second factor, sessions. The same pages for contacts and agents, each in the frame of their area."""

from typing import Any

from portal.web.account import authenticator, confirmation, overview, passkeys, password, second_factor, sessions

handlers: list[Any] = [
    *overview.handlers,
    *password.handlers,
    *sessions.handlers,
    *confirmation.handlers,
    *second_factor.handlers,
    *authenticator.handlers,
    *passkeys.handlers,
]
