"""Handle the form in which the author of a time entry answers the question of a flag.

While an entry has a flag, the entry is not billed. The answer does not lift the flag; a manager does.
"""

from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.time.entry import show_again
from portal.database import transaction
from portal.errors import Conflict, Forbidden
from portal.people.readers import AgentReader
from portal.timekeeping import flags
from portal.web.forms import Form
from portal.web.pages import on_refusal, see_other
from portal.web.visit import safe_path


class Answer(Struct, kw_only=True):
    """Form with the answer to the question of a flag; `back` is the URL path of the page with the form."""

    answer: str
    back: str = ""


@post("/time/{entry:int}/answer")
@on_refusal(show_again, Conflict, Forbidden)  # A manager may lift the flag while the author writes.
async def answer_flag(
    reader: NamedDependency[AgentReader],
    form: NamedDependency[Form],
    at: NamedDependency[datetime],
    entry: FromPath[int],
) -> Response[Any]:
    """Save the author's answer, and redirect to the page of the form. The flag stays until a manager lifts it (C3)."""
    sent = form.into(Answer)
    async with transaction(reader):
        await flags.answer(entry, sent.answer, by=reader, at=at)
    back = safe_path(sent.back)
    return see_other(back if back != "/" else f"/agent/time/{entry}")


handlers: list[Any] = [answer_flag]
