"""Know which agents look at a case, and which of them write, without storing it.

An open page of a case says so with its event stream (`portal/web/live.py`): when the stream begins, with each heartbeat,
and when it ends. A page on which somebody begins or stops writing says that with a form. The database passes each of
these on to every process (`NOTIFY`), and each process remembers them for as long as the next heartbeat may take.
"""

import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from portal import database
from portal.errors import Unavailable
from portal.people.readers import AgentReader

KIND = "presence"
"""The kind of the notifications, beside those of the outbox."""
KEPT_FOR = 45.0
"""After this many seconds without a heartbeat, a page counts as closed."""
MOST_NAMED = 5


@dataclass(slots=True)
class Present:
    """Which pages show which cases: `pages` maps a case and a page to who looks, whether they write, and until when."""

    pages: dict[tuple[int, str], tuple[int, str, bool, float]] = field(default_factory=dict)

    def hear(self, notice: dict[str, Any]) -> bool:
        """Remember what a notification says of one page, and forget the pages from which nothing was heard.

        Return whether that changes what pages show.
        """
        now, key = monotonic(), (notice["subject"], notice["page"])
        known = self.pages.pop(key, None)
        if notice["state"] != "left":
            writes = notice["state"] == "writes" or (notice["state"] == "still" and known is not None and known[2])
            self.pages[key] = (notice["agent"], notice["name"], writes, now + KEPT_FOR)
        lost = [one for one, (*_, until) in self.pages.items() if until < now]
        for gone in lost:
            del self.pages[gone]
        present = self.pages.get(key)
        return bool(lost) or (known and known[:3]) != (present and present[:3])

    def others(self, case_id: int, reader: AgentReader) -> tuple[list[str], list[str]]:
        """Return the names of the agents other than `reader` who write on a case, and of those who only look at it."""
        now = monotonic()
        here = [
            who for (case, _), who in self.pages.items() if case == case_id and who[0] != reader.id and who[3] >= now
        ]
        writing = {agent: name for agent, name, writes, _ in here if writes}
        looking = {agent: name for agent, name, _, _ in here if agent not in writing}
        return sorted(writing.values())[:MOST_NAMED], sorted(looking.values())[:MOST_NAMED]


async def say(case_id: int, page: str, state: str, reader: AgentReader) -> None:
    """Tell every process that a page of `reader` shows a case: `looks`, `still`, `writes`, `pauses` or `left`.

    `still` is a heartbeat. If the database is away, nothing is said; the next heartbeat is heard.
    """
    said = {
        "kind": KIND, "subject": case_id, "page": page, "agent": reader.id, "name": reader.name, "state": state,
        "customer": None, "contact_may_know": False,
    }  # fmt: skip
    try:
        async with database.transaction(reader) as tx:
            await tx.execute("select pg_notify('portal', $1)", json.dumps(said))
    except Unavailable:
        return
