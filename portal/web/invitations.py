"""An invitation's link: set a password, then sign in."""

from typing import Any

handlers: list[Any] = []
