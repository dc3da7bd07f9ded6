"""Send the held replies of agents, as the worker does ten seconds after the agents have sent them."""

from datetime import datetime

from portal.database import current, transaction
from portal.desk.replies import outgoing
from portal.people.readers import SYSTEM
from portal.web.visit import now


async def go_out(at: datetime | None = None) -> None:
    """Run the jobs of all held replies. The present instant is `at`, or ten seconds from now if `at` is None."""
    async with transaction(SYSTEM):
        held = [row["id"] for row in await current().fetch("select id from outgoing_reply order by id")]
    for one in held:
        await outgoing.go_out(one, at or now() + outgoing.HELD_FOR)
