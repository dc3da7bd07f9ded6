"""The first steps of an admin, from an empty database to the first invoice, and which of them are done.

Whether a step is done follows from the rows in the database; nothing else is stored about it. The steps are no longer
shown once the first invoice is issued or an admin hides them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal.billing import until_days
from portal.contracts.readiness import Readiness, readiness
from portal.database import current
from portal.timekeeping.policy.switches import Rules


@dataclass(frozen=True, slots=True)
class Step:
    """One step, with a link to the page where it is done.

    `words` says what the step is for, or what is still missing for it. `address` is the URL of the link and `verb` its
    text.
    """

    name: str
    words: str
    address: str
    verb: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """All steps in their order.

    `ready` says which parts of the set-up exist, and `is_dismissed` whether an admin has hidden the list.
    """

    ready: Readiness
    steps: list[Step]
    is_dismissed: bool

    @property
    def left(self) -> list[Step]:
        """Return the steps that are not done."""
        return [step for step in self.steps if not step.is_done]

    @property
    def are_shown(self) -> bool:
        """Return whether the list is shown: a step is left to do, and no admin has hidden the list."""
        return bool(self.left) and not self.is_dismissed


_OVER = """
select exists (select from invoice where state = 'issued') or exists (select from company where steps_dismissed_at is not null)
"""


async def are_over() -> bool:
    """Return whether an invoice has been issued, or an admin has hidden the steps."""
    return bool(await current().fetchval(_OVER))


_WORK = """
select exists (select from time_entry where service_id is not null) as logged, exists (select from approval) as approved,
  exists (select from invoice) as billed, exists (select from invoice where state = 'issued') as issued,
  exists (select from company where steps_dismissed_at is not null) as is_dismissed
"""


async def first_steps(rules: Rules, at: datetime) -> FirstSteps:
    """Return the steps to the first invoice, and which of them are done at the instant `at`.

    The steps about time are left out while time tracking is off. Once an invoice has been issued, all steps are done.
    """
    ready, work = await readiness(), await current().fetchrow(_WORK)
    until = (await until_days(at)).latest if ready.company else None
    steps = [*_set_up(ready), *_of_time(ready, work, rules), *_of_billing(work, until)]
    if work["issued"]:
        steps = [Step(step.name, step.words, step.address, step.verb, True) for step in steps]
    return FirstSteps(ready, steps, work["is_dismissed"])


def _set_up(ready: Readiness) -> Iterator[Step]:
    yield Step(
        "Our company", "Our name, address, VAT id and bank, and the number of the first invoice.",
        "/agent/setup/company", "Set up the company", ready.company,
    )  # fmt: skip
    yield Step(
        "A role and its rate", ready.rates_missing or "What an hour of whom costs.",
        "/agent/setup/roles", "Look at the roles" if ready.roles else "Add a role",
        bool(ready.roles and ready.rates) and not ready.unpriced_roles,
    )  # fmt: skip
    yield Step(
        "A second person", ready.agents_missing or "Who works on cases. Nobody approves their own time, so it takes two.",
        "/agent/setup/agents/new" if ready.agents < 2 else "/agent/setup/agents",
        "Add an agent" if ready.agents < 2 else "Look at the agents",
        ready.agents > 1 and not ready.agents_without_approver and not ready.agents_without_role,
    )  # fmt: skip
    yield Step(
        "A customer", "Its name, and the address on its invoices.",
        "/agent/customers/new", "Add a customer", ready.customers > 0,
    )  # fmt: skip
    without_service = ready.first_without_service
    yield Step(
        "A contract with a service", ready.services_missing or "In what currency, how often and how its time is billed.",
        f"/agent/customers/{without_service}" if without_service else "/agent/customers", "Go to the customer",
        ready.services > 0 and not ready.customers_without_service,
    )  # fmt: skip
    without_contact = ready.first_without_contact
    yield Step(
        "A contact", ready.contacts_missing or "Who opens cases and gets the invoices.",
        f"/agent/customers/{without_contact}/contacts/new" if without_contact else "/agent/customers", "Add a contact",
        ready.contacts > 0 and not ready.customers_without_contact,
    )  # fmt: skip


def _of_time(ready: Readiness, work: Any, rules: Rules) -> Iterator[Step]:
    if rules.tracks_time:
        new_case = f"/agent/cases/new?customer={ready.only_customer}" if ready.only_customer else "/agent/cases/new"
        yield Step(
            "Time under a service", "Open a case and log time on it, for yourself or for a colleague.",
            new_case if rules.tracks_cases else "/agent/time/new", "Open a case" if rules.tracks_cases else "Log time",
            work["logged"],
        )  # fmt: skip
        yield Step(
            "An approval",
            "Only approved time is billed.",
            "/agent/approvals?drafts=yes",
            "Approve time",
            work["approved"],
        )


def _of_billing(work: Any, until: date | None) -> Iterator[Step]:
    """Yield the steps of billing. The page of the first run offers `until` as the day up to which the run bills.

    `until` is tomorrow, so that the run includes today, or None while the company is not set up.
    """
    yield Step(
        "A billing run", "It makes drafts of approved time and of fees that are due.",
        f"/agent/billing?until={until}" if until else "/agent/billing", "Go to billing", work["billed"],
    )  # fmt: skip
    yield Step(
        "The first invoice", "Look at the draft and issue it. It then reaches the customer.",
        "/agent/invoices", "Issue the invoice", work["issued"],
    )  # fmt: skip
