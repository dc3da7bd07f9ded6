"""Serve pages that need no session: sign-in, second step, invitations, password resets, unsubscriptions, ratings."""

from typing import Any

from portal.web.sessionless import invitations, password_resets, ratings, second_step, sign_in, unsubscriptions

handlers: list[Any] = [
    *sign_in.handlers,
    *second_step.handlers,
    *invitations.handlers,
    *password_resets.handlers,
    *unsubscriptions.handlers,
    *ratings.handlers,
]
