"""The form for time, and the small readings of an address that its lists share."""

from msgspec import Struct

from portal.timekeeping.work import Work
from portal.words import EntryState


class Logged(Struct, kw_only=True):
    """The form for time. `agent`: who worked it, where a manager writes for somebody else; `case`: a number, on the own list only."""

    duration: str = ""
    work_date: str = ""
    service: int | None = None
    task: int | None = None
    billing: str = ""
    external_comment: str = ""
    description: str = ""
    agent: int | None = None
    case: str = ""
    form_key: str = ""
    counts: str = ""
    override_reason: str = ""

    def work(self, service_id: int | None) -> Work:
        """What it says. Raises `Invalid` by field."""
        return Work.typed(
            duration=self.duration, work_date=self.work_date, service_id=service_id, billing=self.billing, task_id=self.task,
            external_comment=self.external_comment, description=self.description, counts=self.counts, override_reason=self.override_reason,
        )  # fmt: skip


class Chosen(Struct, kw_only=True):
    """The entries that are ticked."""

    entry: list[int]


def state_of(text: str | None) -> EntryState | None:
    """The state that an address asks for; one that makes no sense is not asked for."""
    return EntryState(text) if text in list(EntryState) else None
