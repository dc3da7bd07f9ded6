"""Convert the clock times of a day into instants, even on days when daylight saving begins or ends (D10, D11, D12)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from portal.errors import Invalid


class Span(NamedTuple):
    """The instants (UTC) at which work began and ended, and the time zone in which the clock times were entered."""

    started_at: datetime
    ended_at: datetime
    time_zone: str

    @property
    def minutes(self) -> int:
        """Return the elapsed minutes between the two instants, even if daylight saving begins or ends between them."""
        return int((self.ended_at - self.started_at).total_seconds()) // 60

    def clock_times(self) -> tuple[time, time]:
        """Return the local times of the beginning and the end in the span's time zone, to the minute."""
        began, ended = (_wall(instant, ZoneInfo(self.time_zone)) for instant in self[:2])
        return began.time(), ended.time()

    def words(self) -> str:
        """Return the local times of the beginning and the end in words, such as `9:00 to 10:45`."""
        began, ended = self.clock_times()
        return f"{began.hour}:{began:%M} to {ended.hour}:{ended:%M}"


def span_of(day: date, began: time, ended: time, zone: str, known: Span | None = None) -> Span:
    """Return the span of work from the local time `began` on `day` to the next local time `ended`, in the zone `zone`.

    `ended` may be on the next day. When daylight saving ends, some local times occur twice, as 2:30 does in Berlin on
    25 October 2026. Then the span begins at the first occurrence of `began`, and ends at the first occurrence of
    `ended` after that. `known` is the stored span of the entry; a local time that did not change keeps the stored
    instant. Raise `Invalid` (`duration`) for a local time that daylight saving skips on that day.
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
    """Return the stored `instant` if it is the local time `clock` on `day` in `zone`, else None."""
    if instant is None or _wall(instant, zone) != datetime.combine(day, clock):
        return None
    return instant


def _first(day: date, clock: time, zone: ZoneInfo) -> datetime:
    instant = _instant(day, clock, zone, 0)
    if instant is None:
        raise Invalid({"duration": _missing(clock)})
    return instant


def _instant(day: date, clock: time, zone: ZoneInfo, fold: int) -> datetime | None:
    """Return the instant of the local time `clock` on `day`, or None if daylight saving skips that time.

    If the local time occurs twice, `fold` chooses the first (0) or the second (1) occurrence.
    """
    instant = datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC)
    return instant if _wall(instant, zone) == datetime.combine(day, clock) else None


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0, second=0, microsecond=0)


def _missing(clock: time) -> str:
    return f"The clock was set forward on this day, so it never showed {clock.hour}:{clock:%M}."
