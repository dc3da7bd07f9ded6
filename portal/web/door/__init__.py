"""Serve the pages that work without a session: sign-in, second step, invitations and forgotten passwords."""

from typing import Any

from portal.web.door import invitations, password_resets, second_step, sign_in

handlers: list[Any] = [
    *sign_in.handlers,
    *second_step.handlers,
    *invitations.handlers,
    *password_resets.handlers,
]
