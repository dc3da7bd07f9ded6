"""Keep track, in memory only, of which agents have a case open and which of them are writing.

An open page of a case reports itself by its event stream (`portal/web/live.py`): when the stream begins, with each
heartbeat, and when the stream ends. When somebody on the page begins or stops writing, the page sends a form. The
database sends each report to every process (`NOTIFY`). Each process remembers a page until the next heartbeat of that
page is overdue.
"""

import json
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from portal import database
from portal.errors import Unavailable
from portal.people.readers import AgentReader

KIND = "presence"
"""The kind of these notifications, which use the same channel as the notifications of the outbox."""
KEPT_FOR = 45.0
"""After this many seconds without a heartbeat, a page counts as closed."""
MOST_NAMED = 5


@dataclass(slots=True)
class Present:
    """The open pages that show cases, with the agent who looks at each page.

    Each key of `pages` is the id of a case and the id of an open page that shows the case. The value is the agent's id,
    the agent's name, whether the agent is writing, and the instant, by the monotonic clock, at which the page counts as
    closed unless another heartbeat comes.
    """

    pages: dict[tuple[int, str], tuple[int, str, bool, float]] = field(default_factory=dict)

    def hear(self, notice: dict[str, Any]) -> bool:
        """Remember what a notification reports of one page, and forget the pages whose heartbeat is overdue.

        Return whether this changes who looks at a case or writes on one.
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
        """Return the names of the agents who are writing on a case, and of those who only have the case open.

        The name of `reader` is left out. Each list has at most `MOST_NAMED` names.
        """
        now = monotonic()
        here = [
            who for (case, _), who in self.pages.items() if case == case_id and who[0] != reader.id and who[3] >= now
        ]
        writing = {agent: name for agent, name, writes, _ in here if writes}
        looking = {agent: name for agent, name, _, _ in here if agent not in writing}
        return sorted(writing.values())[:MOST_NAMED], sorted(looking.values())[:MOST_NAMED]


async def say(case_id: int, page: str, state: str, reader: AgentReader) -> None:
    """Report to every process what happens on a page of `reader` that shows a case.

    `page` is the id of the page. `state` is `looks` (the page was opened), `still` (a heartbeat), `writes` (the reader
    began to write), `pauses` (the reader stopped writing) or `left` (the page was closed). If the database does not
    respond, this report is lost. The next heartbeat then reports that the page is open, but not whether the reader is
    writing.
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
