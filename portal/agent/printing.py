"""What documents cannot show of a text, told while it is typed."""

import re
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from portal.errors import NotFound
from portal.render.letters import printing_note
from portal.web.pages import page
from portal.web.visit import Web


@get("/prints/{field:str}")
async def show_note(request: Web, field: FromPath[str]) -> Response[str]:
    """The note on what was typed into `field`, which is the id of an input; any other parameter is its value."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", field):
        raise NotFound
    typed = "".join(request.query_params.values())
    return page(request, "shared/_prints.html", field=field, note=printing_note(typed))


handlers: list[Any] = [show_note]
