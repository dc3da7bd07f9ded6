"""How many examples Hypothesis tries: few in `./dev test`, many in `./dev test --all`, which sets PORTAL_TEST_ALL=1."""

import os

from hypothesis import settings

ALL = os.environ.get("PORTAL_TEST_ALL") == "1"


def load_profile() -> None:
    """Set the defaults of all Hypothesis tests. Call this before the modules that define them are imported.

    Examples have no deadline, because the machine may be busy. In CI the examples are the same in each run, as in
    Hypothesis's own profile for CI.
    """
    settings.register_profile("portal", settings.get_profile(settings.get_current_profile_name()), deadline=None,
                              max_examples=200 if ALL else 25)  # fmt: skip
    settings.load_profile("portal")
