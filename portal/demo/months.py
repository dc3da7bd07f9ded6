"""Plan the billing of the demo: a billing run each month, and payments. Last month is billed for two customers so far."""

from datetime import date, datetime, timedelta
from functools import partial

from portal import billing
from portal.demo.scenario import Scenario
from portal.money import divide_half_up
from portal.people.readers import ContactReader

DONE_FIRST = ("Globex", "Rovana Bikes")
"""The customers for whom last month is billed already.

Globex has a draft of an invoice. Rovana Bikes, which is on trial, has a statement.
"""


SLOW = "Birkholm Foods"
"""The customer that pays only half of each invoice, so that some of its invoices are overdue."""
QUARTER = 15
QUESTION = "Was this not part of the visit on the day before? Please check whether it is on the invoice twice."
"""What a contact asks about an entry on an invoice."""
DAYS_TO_PAY = timedelta(days=16)
"""How long after the end of a month the invoices of that month are paid."""


def plan(scenario: Scenario) -> None:
    """Plan the billing run of every month, the issuing of its drafts on the next working day, and the payments.

    For the latest month that is billed for all customers, a part of one invoiced entry is credited. Last month is
    billed only for the customers in `DONE_FIRST`, by a billing run 25 minutes before now. The draft of that run is not
    issued.
    """
    calendar = scenario.calendar
    everybody = [customer.id for customer in scenario.customers.values()]
    for until in calendar.billed_until:
        day = calendar.workday_from(until)
        scenario.timeline.plan(calendar.instant(day, 14 * 60 + 5), partial(_run, scenario, until, everybody))
        following = calendar.workday_from(day + timedelta(days=1))
        scenario.timeline.plan(calendar.instant(following, 9 * 60 + 5), partial(_issue, scenario))
        paid = calendar.workday_from(until + DAYS_TO_PAY)
        scenario.timeline.plan(calendar.instant(paid, 10 * 60 + 30), partial(_pay, scenario))
    if calendar.billed_until:
        corrected = calendar.workday_from(calendar.billed_until[-1] + timedelta(days=9))
        scenario.timeline.plan(calendar.instant(corrected, 11 * 60), partial(_credit, scenario))
    first = [scenario.customers[name].id for name in DONE_FIRST]
    scenario.timeline.plan(calendar.now - timedelta(minutes=25), partial(_run, scenario, calendar.this_month, first))


async def _run(scenario: Scenario, until: date, customers: list[int], at: datetime) -> None:
    await billing.run(until, customers, by=scenario.agent("Max Herrmann"), at=at)


async def _issue(scenario: Scenario, at: datetime) -> None:
    """Issue every draft, one minute after the other."""
    by = scenario.agent("Max Herrmann")
    for place, draft in enumerate((await billing.list_drafts(by, limit=1000)).rows):
        await billing.issue(draft["id"], by=by, at=at + timedelta(minutes=place))


async def _pay(scenario: Scenario, at: datetime) -> None:
    """Record a payment of every open invoice that has no payment yet. The customer `SLOW` pays only half of the sum."""
    by = scenario.agent("Max Herrmann")
    for row in (await billing.list_issued(by, limit=1000)).rows:
        if row["open"] > 0 and not row["paid"]:
            invoice = await billing.Invoice.find(row["number"], by)
            share = 2 if row["customer_name"] == SLOW else 1
            facts = billing.PaymentFacts(
                amount=f"{divide_half_up(row['open'], share, invoice.digits)}",
                paid_on=scenario.calendar.date_of(at).isoformat(),
                reference=f"Transfer, {row['number']}",
            )
            await billing.record_payment(invoice, facts, by=by, at=at)


async def _credit(scenario: Scenario, at: datetime) -> None:
    """Credit 15 minutes of an entry on Acme's latest invoice: the first charged entry of more than 15 minutes.

    The credited time is written off, so it is not billed again.
    """
    by = scenario.agent("Max Herrmann")
    listed = await billing.list_issued(by, customer_id=scenario.customers["Acme"].id, limit=1)
    for row in listed.rows:
        invoice = await billing.Invoice.find(row["number"], by)
        charged = [left for left in (await billing.creditable(invoice)).time if left.amount and left.minutes > QUARTER]
        if charged:
            chosen = billing.Chosen(minutes={charged[0].row.position: QUARTER})
            reason = "The restart after the update was our mistake."
            await billing.issue_credit(invoice, chosen, reason=reason, freed=False, by=by, at=at)


async def ask(ada: ContactReader, at: datetime) -> None:
    """Let the contact Ada ask about an entry on her latest invoice: the last charged entry that belongs to a case.

    No agent answers the question.
    """
    for row in (await billing.list_issued(ada, limit=1)).rows:
        invoice = await billing.Invoice.find(row["number"], ada)
        charged = [
            row.position for row in (await billing.contents_of(invoice)).detail if row.amount and row.case_number
        ]
        about = await billing.time_on_invoice(invoice, charged[-1])
        await billing.ask_about_entry(about, QUESTION, by=ada, at=at)
