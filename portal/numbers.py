"""Read whole numbers and UUIDs from URLs and hidden fields, which anybody can change."""

import uuid


def number_in(text: object, *, digits: int = 18) -> int | None:
    """Return the number that `text` spells in ASCII digits, or None if it is anything else.

    None is also returned for more than `digits` digits: a number of 18 digits fits a `bigint`, one of 9 an `integer`.
    PostgreSQL would refuse a larger number with an error.
    """
    typed = str(text)
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= digits else None


def uuid_in(text: str | None) -> uuid.UUID | None:
    """Return the UUID that `text` spells, or None for other text."""
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def is_ascii_where_numbers_are(path: str) -> bool:
    """Return False if a part of a URL path is a number with non-ASCII digits, which `int` would accept."""
    return path.isascii() or not any(not part.isascii() and _is_number(part) for part in path.split("/"))


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
