"""Show contacts the hours of their customer: the running statement of each service, and the ledger of each voucher.

The running statement says how many minutes are used, pending (logged but not approved) and left.
"""

from datetime import datetime
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from portal.billing import approved_time, balances, moves_of, refuse_without_hours, standings
from portal.contracts.vouchers import Voucher
from portal.customer.questions import questions_about
from portal.errors import NotFound
from portal.numbers import number_in
from portal.people.readers import ContactReader
from portal.periods import day_in, today
from portal.web.notices import reads_notices
from portal.web.pages import page
from portal.web.visit import Web, visit_of, wants_fragment


@get("/hours")
@reads_notices
async def show(request: Web, reader: NamedDependency[ContactReader], at: NamedDependency[datetime]) -> Response[str]:
    """Show what is used, pending and left of each service of the customer.

    A page that is open in a browser refreshes itself when a case of the customer changes; htmx then gets only the list
    of services. Raise `NotFound` for a contact without the right to the customer's hours.
    """
    refuse_without_hours(reader)
    day = today(visit_of(request).company.time_zone, at)
    template = "customer/hours/_services.html" if wants_fragment(request) else "customer/hours/show.html"
    return page(request, template, standings=await standings(reader, reader.customer_id, day))


@get("/hours/services/{service:int}")
async def show_service(
    request: Web, reader: NamedDependency[ContactReader], at: NamedDependency[datetime], service: FromPath[int]
) -> Response[str]:
    """Show what was used of a service in one billing period, and list the approved time of this period.

    The period is the one that contains the day in the query parameter `on`. If `on` is missing or in the future, the
    day is today. The query parameter `before` is the paging cursor of the list. Raise `NotFound` for a contact without
    the right to the customer's hours, and for a service of another customer.
    """
    refuse_without_hours(reader)
    now = today(visit_of(request).company.time_zone, at)
    day = day_in(request.query_params.get("on", "")) or now
    found = await standings(reader, reader.customer_id, min(day, now), [service])
    if not found:
        raise NotFound
    before = number_in(request.query_params.get("before"))
    entries, following = await approved_time(service, found[0].period, before)
    return page(
        request, "customer/hours/service.html", it=found[0], day=now, entries=entries, following=following,
        turned=before is not None, **await questions_about(
            [entry["id"] for entry in entries], reader, {entry["case_number"] for entry in entries}
        ),
    )  # fmt: skip


@get("/hours/vouchers/{voucher:int}")
@reads_notices
async def show_voucher(
    request: Web, reader: NamedDependency[ContactReader], at: NamedDependency[datetime], voucher: FromPath[int]
) -> Response[str]:
    """Show what is left of a voucher, and its ledger.

    The query parameter `before` is the paging cursor of the ledger. Raise `NotFound` for a contact without the right to
    the customer's hours, and for a voucher of another customer.
    """
    refuse_without_hours(reader)
    found = await Voucher.find(voucher, reader)
    before = number_in(request.query_params.get("before"))
    moves, following = await moves_of(found.id, before, for_contact=True)
    [balance] = await balances(reader.customer_id, found.id)
    return page(
        request, "customer/hours/voucher.html", voucher=found, balance=balance, moves=moves, following=following,
        turned=before is not None, day=today(visit_of(request).company.time_zone, at),
        **await questions_about([move["entry_id"] for move in moves if move["work_date"]], reader),
    )  # fmt: skip


handlers: list[Any] = [show, show_service, show_voucher]
