"""When time was worked: from the clock times of a day to instants, across changes of the clock (D10, D11, D12)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from portal.errors import Invalid


class Span(NamedTuple):
    """Two instants in UTC, and the zone in which their clock times were read."""

    started_at: datetime
    ended_at: datetime
    time_zone: str

    @property
    def minutes(self) -> int:
        """Return the minutes that passed between them, whatever the clock did."""
        return int((self.ended_at - self.started_at).total_seconds()) // 60

    def clock_times(self) -> tuple[time, time]:
        """Return what the clock of the zone showed, to the minute."""
        began, ended = (_wall(instant, ZoneInfo(self.time_zone)) for instant in self[:2])
        return began.time(), ended.time()

    def words(self) -> str:
        """Return `9:00 to 10:45`."""
        began, ended = self.clock_times()
        return f"{began.hour}:{began:%M} to {ended.hour}:{ended:%M}"


def span_of(day: date, began: time, ended: time, zone: str, known: Span | None = None) -> Span:
    """Return the instants of work that began at `began` on `day`, and ended when the clock next showed `ended`.

    An end past midnight still counts on `day`. Of a clock time that comes twice, the first is taken, and for the end the first after the
    beginning. `known` are the instants that the entry has: where a clock time is as it was, its instant stays.
    Raises `Invalid` (`duration`) for a clock time that the day does not have.
    """
    where = ZoneInfo(zone)
    start = _kept(known and known.started_at, day, began, where) or _first(day, began, where)
    candidates = [_instant(day + timedelta(days=days), ended, where, fold) for days in (0, 1) for fold in (0, 1)]
    later = [instant for instant in candidates if instant is not None and instant > start]
    if not later:
        raise Invalid({"duration": _missing(ended)})
    stays = known is not None and known.ended_at in later and _wall(known.ended_at, where).time() == ended
    return Span(start, known.ended_at if known and stays else later[0], zone)


def _kept(instant: datetime | None, day: date, clock: time, zone: ZoneInfo) -> datetime | None:
    """Return the stored instant where the clock showed just this."""
    if instant is None or _wall(instant, zone) != datetime.combine(day, clock):
        return None
    return instant


def _first(day: date, clock: time, zone: ZoneInfo) -> datetime:
    instant = _instant(day, clock, zone, 0)
    if instant is None:
        raise Invalid({"duration": _missing(clock)})
    return instant


def _instant(day: date, clock: time, zone: ZoneInfo, fold: int) -> datetime | None:
    """Return the instant at which the clock of the zone shows this; None for a time that it leaps over."""
    instant = datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC)
    return instant if _wall(instant, zone) == datetime.combine(day, clock) else None


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0, second=0, microsecond=0)


def _missing(clock: time) -> str:
    return f"The clock was set forward on this day, so it never showed {clock.hour}:{clock:%M}."
