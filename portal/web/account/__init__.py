"""Serve the pages on which people manage their own account: password, second factor, sessions, customer.

Contacts and agents use the same pages. Each page is shown in the layout of the area that its reader belongs to.
"""

from typing import Any

from portal.web.account import (
    authenticator,
    confirmation,
    customers,
    notices,
    overview,
    passkeys,
    password,
    personal_data,
    second_factor,
    sessions,
)

handlers: list[Any] = [
    *overview.handlers,
    *password.handlers,
    *sessions.handlers,
    *confirmation.handlers,
    *second_factor.handlers,
    *authenticator.handlers,
    *passkeys.handlers,
    *notices.handlers,
    *customers.handlers,
    *personal_data.handlers,
]
