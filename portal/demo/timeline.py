"""Run the planned actions of the demo in the order of their instants, whatever the order in which they were planned."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime

from portal.demo.calendar import Calendar

Action = Callable[[datetime], Awaitable[object]]


class Timeline:
    """Planned actions, each with its instant. An action whose instant is in the future is not planned."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._actions: list[tuple[datetime, int, Action]] = []

    def plan(self, at: datetime, action: Action) -> bool:
        """Make `run` call `action` with the instant `at`. Return False, and plan nothing, if `at` is in the future."""
        if at >= self._calendar.now:
            return False
        self._actions.append((at, len(self._actions), action))
        return True

    async def run(self, say: Callable[[str], None]) -> None:
        """Run all planned actions in order. Call `say` with the name of each month that begins."""
        month: date | None = None
        for at, _, action in sorted(self._actions, key=lambda planned: planned[:2]):
            day = self._calendar.date_of(at)
            if month is None or day.replace(day=1) > month:
                month = day.replace(day=1)
                say(f"{month:%B %Y}")
            await action(at)
