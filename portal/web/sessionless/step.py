"""Remember, for ten minutes, who has typed the right password and must still prove a second factor (R9).

There is no session yet, so a sealed (encrypted) cookie holds what is remembered.
"""

from datetime import datetime, timedelta

from portal.people.access.passwords import Proven
from portal.sealing import Broken
from portal.web import cookies
from portal.web.visit import Web, safe_path, visit_of

STEP_FOR = timedelta(minutes=10)
_PURPOSE = "second step of signing in"


def remember_step(request: Web, proven: Proven, next_path: str, at: datetime) -> None:
    """Set the cookie that stores whose password was proved, and the path to redirect to after the second step."""
    visit = visit_of(request)
    sealed = visit.settings.sealer.seal(_PURPOSE, f"{proven.login_id} {proven.mark} {safe_path(next_path)}", at)
    visit.new_cookies.append(cookies.write(cookies.STEP, sealed, visit.settings))


def remembered_step(request: Web) -> tuple[Proven, str] | None:
    """Return the person whose password was proved, and the path to redirect to after the second step.

    Return None if no password was proved in this browser within the last ten minutes.
    """
    visit = visit_of(request)
    try:
        text = visit.settings.sealer.open(_PURPOSE, visit.step, visit.at, within=STEP_FOR)
    except Broken:
        return None
    login_id, mark, then = text.split(" ", 2)
    return Proven(int(login_id), mark), then


def forget_step(request: Web) -> None:
    """Delete the cookie of the second step."""
    visit = visit_of(request)
    visit.new_cookies.append(cookies.clear(cookies.STEP, visit.settings))
