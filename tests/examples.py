"""Choose how many examples tests try: a few in `./dev test`, all or many in `./dev test --all` (PORTAL_TEST_ALL=1)."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from hypothesis import settings

ALL = os.environ.get("PORTAL_TEST_ALL") == "1"
TURN = int(os.environ.setdefault("PORTAL_TEST_TURN", str(datetime.now(UTC).date().toordinal())))
"""The ordinal of today's date. `turns` uses it to choose; to repeat another day's choice, set PORTAL_TEST_TURN.

Pytest's workers inherit the variable, so that all of them choose the same, also at midnight.
"""

One = TypeVar("One")


def turns(every: Sequence[One], number: int = 1) -> list[One]:
    """Return `number` elements, different ones each day, so that each comes up within some days.

    With `--all`, return all elements.
    """
    if ALL or number >= len(every):
        return list(every)
    return [every[(TURN * number + step) % len(every)] for step in range(number)]


def load_profile() -> None:
    """Set the defaults of all Hypothesis tests. Call this before the modules with those tests are imported.

    Examples have no deadline, because the machine may be busy. In CI the examples are the same in each run, as in
    Hypothesis's own profile for CI.
    """
    settings.register_profile("portal", settings.get_profile(settings.get_current_profile_name()), deadline=None,
                              max_examples=200 if ALL else 25)  # fmt: skip
    settings.load_profile("portal")
