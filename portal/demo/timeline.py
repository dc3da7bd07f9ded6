"""Run the demo's planned actions in the order of their instants, whatever the order they were planned in."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime

from portal.demo.calendar import Calendar

Act = Callable[[datetime], Awaitable[object]]


class Timeline:
    """The planned actions with their instants. Actions that lie after `now` are dropped."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._acts: list[tuple[datetime, int, Act]] = []

    def plan(self, at: datetime, act: Act) -> bool:
        """Plan the action `act` for the instant `at`. If `at` is in the future, drop the action and return False."""
        if at >= self._calendar.now:
            return False
        self._acts.append((at, len(self._acts), act))
        return True

    async def play(self, say: Callable[[str], None]) -> None:
        """Run all planned actions in order; call `say` with the name of each month."""
        month: date | None = None
        for at, _, act in sorted(self._acts, key=lambda planned: planned[:2]):
            day = self._calendar.date_of(at)
            if month is None or day.replace(day=1) > month:
                month = day.replace(day=1)
                say(f"{month:%B %Y}")
            await act(at)
