"""Serve the page on which admins destroy a text or a file of a case for good."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from portal.agent.setup.pages import form_page
from portal.database import transaction
from portal.desk import Case, Details
from portal.errors import Conflict, Invalid
from portal.people.readers import AgentReader
from portal.personal.redacting import check, delete_redacted, redact, redactable, redactable_with
from portal.storage import Storage
from portal.web.forms import Form
from portal.web.guards import admin_only
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of


class Redaction(Struct, kw_only=True):
    """Form that redacts the text or file with the key `what`. Without `sure`, the response asks for confirmation."""

    what: str = ""
    reason: str = ""
    sure: bool = False


SURE = "Read what goes for good, and confirm."


@get("/cases/{number:str}/redaction", guards=[admin_only])
async def show(request: Web, number: FromPath[str]) -> Response[str]:
    """Show the texts and files of a case.

    With `?what=`, show the text or file with this key, and the form that redacts it.
    """
    return await _show(request, number=number)


async def _show(
    request: Web, *, number: str, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    details = await Details.find(number, reader)
    key = str((typed or {}).get("what") or request.query_params.get("what", ""))
    chosen = await redactable_with(details.case, key) if key else None
    found = [] if chosen else await redactable(details.case)
    asks = bool(errors) and "sure" in (errors or {})
    return await form_page(
        request, "agent/related/redaction.html", details=details, found=found, chosen=chosen,
        asks=asks, typed=typed or {}, errors={} if asks else errors,
    )  # fmt: skip


@post("/cases/{number:str}/redaction", guards=[admin_only])
@on_refusal(_show, Conflict)
async def send(
    request: Web, reader: NamedDependency[AgentReader], form: NamedDependency[Form], storage: NamedDependency[Storage],
    at: NamedDependency[datetime], number: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Destroy a text or a file of a case, and redirect to the case.

    If the form does not confirm the destruction (`sure`), destroy nothing and ask for confirmation. The bytes of a file
    are deleted from storage after the commit.
    """
    fields = form.into(Redaction)
    async with transaction(reader):
        case = await Case.find(number, reader, itself=True)
        if not fields.sure:
            await check(case, fields.what, fields.reason, by=reader)
            raise Invalid({"sure": SURE})
        await redact(
            case, fields.what, fields.reason, by=reader, zone=ZoneInfo(visit_of(request).company.time_zone), at=at
        )
    await delete_redacted(storage)
    return see_other(f"/agent/cases/{case.number}")


handlers: list[Any] = [show, send]
