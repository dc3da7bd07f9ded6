"""Warn somebody who types characters that PDF documents cannot show."""

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
    """Return the warning for the text typed into an input, or an empty fragment if documents can show every character.

    `field` is the HTML id of the input. Raise `NotFound` if `field` cannot be an id. The typed text is the value of the
    query parameter, whatever the parameter's name.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", field):
        raise NotFound
    typed = "".join(request.query_params.values())
    return page(request, "shared/_prints.html", field=field, note=printing_note(typed))


handlers: list[Any] = [show_note]
