"""Serve the set-up page with the audit log: who changed what. Only admins may open it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency

from portal import audit
from portal.agent.pages import agent_page
from portal.errors import Invalid
from portal.exports import write_csv
from portal.numbers import number_in
from portal.people.readers import AgentReader
from portal.periods import day_in
from portal.render.formats import reading
from portal.web.finding import Found, asked, suggested
from portal.web.guards import admin_only
from portal.web.limits import exporting
from portal.web.pages import download
from portal.web.visit import Web

PATH = "/agent/setup/changes"
FINDERS = {"who": audit.PEOPLE, "thing": audit.THINGS}


async def _asked(request: Web, reader: AgentReader) -> tuple[audit.Filter, dict[str, Found]]:
    """Return the filter that the URL describes, and what the search fields of the filter found, by field name.

    Values that cannot be read are ignored.
    """
    query = request.query_params
    found = {name: await asked(request, name, finder) for name, finder in FINDERS.items()}
    wanted = audit.Filter(
        reader.time_zone,
        who=_id(query, "who", found),
        thing=_id(query, "thing", found),
        kind=query.get("kind", "") if query.get("kind") in audit.KINDS else "",
        since=day_in(query.get("from")),
        until=day_in(query.get("until")),
    )
    return wanted, found


def _id(query: Mapping[str, str], name: str, found: Mapping[str, Found]) -> int | None:
    """Return the id by which the search field `name` filters, or None if this field does not filter.

    A link to the page has an id without a typed text. Such an id filters even if no row has this id: the page then
    shows no changes instead of all changes.
    """
    return found[name].id if f"{name}_typed" in query else number_in(query.get(name))


def _query(wanted: audit.Filter, **more: object) -> str:
    """Return the query string of a filter with the parameters `more`, leaving out empty values."""
    values = {
        "who": wanted.who,
        "thing": wanted.thing,
        "kind": wanted.kind,
        "from": wanted.since,
        "until": wanted.until,
    }
    return "?" + urlencode({name: value for name, value in (values | more).items() if value not in ("", None)})


@get("/setup/changes", guards=[admin_only])
async def show(request: Web, reader: NamedDependency[AgentReader]) -> Response[str]:
    """Show the audit log, latest change first. `?before=` is the keyset cursor of a further page."""
    wanted, found = await _asked(request, reader)
    before = number_in(request.query_params.get("before"))
    changes, following = await audit.latest(wanted, before)
    return await agent_page(
        request, reader, "agent/setup/changes.html", changes=changes, wanted=wanted, found=found, query=_query(wanted),
        kinds=[(key, words) for key, (words, _) in audit.KINDS.items()], count=await audit.how_many(wanted),
        most=audit.MOST_IN_A_FILE, turning={
            "turned": before is not None, "first": PATH + _query(wanted),
            "next": PATH + _query(wanted, before=following) if following else None, "back": "Latest", "on": "Earlier",
        },
    )  # fmt: skip


@get("/setup/changes.csv", guards=[admin_only])
async def export(request: Web, reader: NamedDependency[AgentReader], at: NamedDependency[datetime]) -> Response[Any]:
    """Serve the changes that match the URL's filter as CSV, and record the download in the audit log.

    Raise `Invalid` if there are more changes than a file may have.
    """
    async with exporting(request):
        wanted, _ = await _asked(request, reader)
        if await audit.how_many(wanted) > audit.MOST_IN_A_FILE:
            raise Invalid({"": f"A file has at most {audit.MOST_IN_A_FILE:,} changes. Choose fewer days."})
        with reading(reader, None, at):
            content = write_csv(await audit.sheet(wanted))
        await audit.record_download(reader)
    return download(content, f"changes-{at.date().isoformat()}.csv", media_type="text/csv")


@get("/setup/changes/people", guards=[admin_only])
async def suggest_people(request: Web) -> Response[str]:
    """Return suggestions for the field *By*: people who can sign in and whose names match the typed text."""
    return await suggested(request, audit.PEOPLE)


@get("/setup/changes/things", guards=[admin_only])
async def suggest_things(request: Web) -> Response[str]:
    """Return suggestions for the field *About*: people, customers, services and other rows with a matching name."""
    return await suggested(request, audit.THINGS)


handlers: list[Any] = [show, export, suggest_people, suggest_things]
