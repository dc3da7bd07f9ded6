"""Services: the parts of a contract under which time is logged (S4)."""

from datetime import date, datetime
from typing import Any

import asyncpg
from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Date, Integer, Numeric, Text, Timestamptz
from piccolo.query import Objects, OrderByRaw
from piccolo.table import Table

from portal.contracts.contracts import Contract
from portal.contracts.naming import shown_contract
from portal.contracts.price_list.products import Product, exemption
from portal.contracts.terms import check_rollover, factors_of, terms_of, typed_terms
from portal.database import current
from portal.database.finder import Finder
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.durations import Rounding, RoundingMode
from portal.errors import Invalid
from portal.fields import Checked, day, identifier, in_range, line, one_of, optional, whole, yes_or_no
from portal.money import digits_of
from portal.people.readers import SYSTEM, Reader, System
from portal.words import Due, Overflow, Rollup, RoundingPer, Settlement, StandsFor

SETTLED = "Time, fees or vouchers were settled under “{now}” already. End this service with its contract, and add one for “{then}”."
SHARED = (
    "A voucher is for this service and others, so their VAT stays the same. Add a service of its own for other VAT."
)
PRICED = "Its prices change from a date. Delete these changes first."
DRAWN_FROM = "Another service draws its included hours. Let that service draw none of them first."


class ServiceFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a service as typed.

    `stands_for` is a member of `StandsFor`, `product_id` the id of a product or "". `taxable` is `yes` or `no`; `no`
    requires a reason for the exemption (D42). If `effective_start` is empty, the service starts with its contract.
    `rounding_minimum` and `rounding_increment` are minutes, and `rounding_per` says whether each entry or each day is
    rounded (D4). `windows` and `holidays` are lines that `schedules.windows` reads, and `calendar_holidays` adds the
    days off of the company's calendar.

    The fields from `overflow` on belong to some settlements only (`TERMS`). `overflow` says what happens to time beyond
    the prepaid hours, and `overage_rate` is the hourly rate of such time; if it is empty, the usual hourly rates apply.
    `included_from` is the id of a subscription whose included hours the service draws too. `fee` and `included` are for
    a whole period; `due` says whether the fee is due in advance or in arrears. The three fields `rollover_...` say for
    how many periods unused hours roll over, up to which limit and from which day on.
    """

    name: str
    stands_for: str = StandsFor.CONTRACT.value
    product_id: str = ""
    settlement: str = Settlement.TIME_SPENT.value
    rollup: str = Rollup.SERVICE.value
    taxable: str = "yes"
    exemption_reason: str = ""
    effective_start: str = ""
    rounding_minimum: str = "0"
    rounding_increment: str = "15"
    rounding_mode: str = "up"
    rounding_per: str = RoundingPer.ENTRY.value
    windows: str = ""
    holidays: str = ""
    calendar_holidays: bool = False
    overflow: str = Overflow.BILL.value
    overage_rate: str = ""
    included_from: str = ""
    fee: str = ""
    included: str = ""
    due: str = Due.ADVANCE.value
    rollover_periods: str = ""
    rollover_cap: str = ""
    rollover_from: str = ""


class Service(Table, tablename="service"):
    """A part of a contract under which time is logged. It never moves to another contract or customer (S4.10).

    `settlement` says how the time of the service is paid for, and `rollup` how this time becomes lines of an invoice.
    The columns of `TERMS`, such as `overflow`, are None if the settlement does not need them; `overage_rate` is also
    None if the usual hourly rates apply. If `included_from_id` is set, the service draws the hours of that subscription
    after its own included hours (D28). `stands_for` is the type of the service, and `product_id` its product on the
    price list, or None. `time_provider`, `last_sync`, `provider_project` and `provider_project_value` are reserved for
    integrations and unused (S4.28).
    """

    id = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    contract_id = BigInt(default=None)
    name = Text(default=None)
    settlement = Text(default=None)
    rollup = Text(default=None)
    taxable = Boolean(default=None)
    exemption_reason = Text(null=True, default=None)
    effective_start = Date(default=None)
    rounding_minimum = Integer(default=None)
    rounding_increment = Integer(default=None)
    rounding_mode = Text(default=None)
    rounding_per = Text(default=RoundingPer.ENTRY.value)
    windows = Text(null=True, default=None)
    holidays = Text(null=True, default=None)
    calendar_holidays = Boolean(default=False)
    created_at = Timestamptz(default=None)
    overflow = Text(null=True, default=None)
    overage_rate = Numeric(digits=(12, 4), null=True, default=None)
    fee = Numeric(digits=(15, 3), null=True, default=None)
    included_minutes = Integer(null=True, default=None)
    due = Text(null=True, default=None)
    included_from_id = BigInt(null=True, default=None)
    product_id = BigInt(null=True, default=None)
    stands_for = Text(default=None)
    time_provider = Text(null=True, default=None)
    last_sync = Timestamptz(null=True, default=None)
    provider_project = Text(null=True, default=None)
    provider_project_value = Text(null=True, default=None)
    rollover_periods = Integer(null=True, default=None)
    rollover_cap = Integer(null=True, default=None)
    rollover_from = Date(null=True, default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Service"]:
        """Return a query of the services that `reader` may see.

        An agent sees all services. A contact sees the services of their own customer.
        """
        query = cls.objects()
        return query.where(cls.customer_id == reader.customer_id) if reader.is_contact else query

    @classmethod
    async def find(
        cls,
        service: int,
        reader: Reader | System,
        *,
        customer: int | None = None,
        contract: int | None = None,
        hold: bool = False,
    ) -> "Service":
        """Return the service with this id. With `hold`, lock its row until the transaction ends.

        Raise `NotFound` if there is no such service, or if `reader` may not see it. If `customer` or `contract` is
        given, raise `NotFound` also for a service of another customer or contract (R28, R29).
        """
        query = cls.visible_to(reader).where(cls.id == in_range(service))
        query = query if customer is None else query.where(cls.customer_id == customer)
        return await one(query if contract is None else query.where(cls.contract_id == contract), hold=hold)

    @classmethod
    async def of(cls, customer: int) -> list["Service"]:
        """Return all services of a customer, sorted by name."""
        return await cls.objects().where(cls.customer_id == customer).order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def of_contract(cls, contract: int) -> list["Service"]:
        """Return all services of a contract, in the order in which they were added."""
        return await cls.objects().where(cls.contract_id == contract).order_by(cls.id)

    @classmethod
    async def offered(cls, customer: int, on: date | None = None) -> list[tuple[int, str]]:
        """Return the services of a customer as options of a select field: pairs of id and label.

        The label has the names of service and contract (`Helpdesk, Support 2026`). With `on`, services whose contract
        has ended by that day are left out.
        """
        return [(row["id"], row["words"]) for row in await current().fetch(OFFERED, customer, on)]

    @classmethod
    async def with_included_hours(cls, contract: Contract, service: int | None = None) -> list["Service"]:
        """Return the services of a contract that are paid by subscription, except `service` (an id), sorted by name."""
        query = cls.objects().where(
            (cls.contract_id == contract.id) & (cls.settlement == Settlement.SUBSCRIPTION.value)
        )
        return await query.where(cls.id != (service or 0)).order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def create(cls, contract: Contract, facts: ServiceFacts, at: datetime) -> "Service":
        """Add a service to the contract and return it.

        If the customer's new cases have no default service yet, this service becomes the default. Raise `Invalid` for a
        bad field, or if the contract has another service of that name.
        """
        values = await columns_of(facts, contract)
        async with unless_taken("name", f"This contract has a service “{values['name']}” already."):
            [service] = await cls.insert(
                cls(**values, customer_id=contract.customer_id, contract_id=contract.id, created_at=at)
            )
        await current().execute(
            "insert into default_service (customer_id, service_id) values ($1, $2) on conflict do nothing",
            contract.customer_id, service["id"],
        )  # fmt: skip
        return await cls.find(service["id"], SYSTEM)

    async def change(self, facts: ServiceFacts) -> None:
        """Replace every field of the service. Logged minutes and approved prices do not change.

        What pays for time that is not billed yet may change, so the caller must lock the customer before, and recompute
        the allocations afterwards. Raise `Invalid`:

        - for a bad field, or if the contract has another service of that name;
        - if the settlement changes, and time, fees, vouchers or price changes depend on the present settlement;
        - if the settlement or the tax changes, and another service draws included hours from this service;
        - if the tax changes, and the service shares a voucher with other services.
        """
        values = await columns_of(facts, await Contract.find(self.contract_id, SYSTEM), self)
        try:
            async with unless_taken("name", f"This contract has a service “{values['name']}” already."):
                await Service.update(**values).where(Service.id == self.id)
        except asyncpg.IntegrityConstraintViolationError as error:
            if error.constraint_name == "service_price_changes":
                raise Invalid({"settlement": PRICED}) from error
            if error.constraint_name == "service_included_from":
                field = "taxable" if values["settlement"] == self.settlement else "settlement"
                raise Invalid({field: DRAWN_FROM}) from error
            if values["settlement"] == self.settlement:
                raise Invalid({"taxable": SHARED}) from error
            raise Invalid(
                {"settlement": SETTLED.format(now=self.paid_by, then=Settlement(values["settlement"]).word)}
            ) from error

    @property
    def rounding(self) -> Rounding:
        """Return the rule by which worked minutes become billable minutes."""
        return Rounding(self.rounding_minimum, self.rounding_increment, RoundingMode(self.rounding_mode))

    @property
    def paid_by(self) -> str:
        """Return how time of this service is paid for, in the words that pages show, such as `Time spent`."""
        return Settlement(self.settlement).word

    @property
    def stands_for_word(self) -> str:
        """Return what the service stands for, as pages say it, such as `A project`."""
        return StandsFor(self.stands_for).word

    @property
    def overflow_word(self) -> str:
        """Return what happens to time beyond the prepaid hours, such as `Charge it`; "" if the service has none."""
        return Overflow(self.overflow).word if self.overflow else ""

    @property
    def due_word(self) -> str:
        """Return when the fee is billed: `In advance` or `In arrears`; "" if the service has no fee."""
        return Due(self.due).word if self.due else ""

    @property
    def line_per(self) -> str:
        """Return the noun for what gets a line of its own on an invoice, such as `agent` or `service`."""
        return Rollup(self.rollup).word.lower()

    @property
    def facts(self) -> ServiceFacts:
        """Return the stored values of the service as form fields, to fill in the form that edits them."""
        return ServiceFacts(
            name=self.name,
            stands_for=self.stands_for,
            product_id=str(self.product_id or ""),
            settlement=self.settlement,
            rollup=self.rollup,
            taxable="yes" if self.taxable else "no",
            exemption_reason=self.exemption_reason or "",
            effective_start=self.effective_start.isoformat(),
            rounding_minimum=str(self.rounding_minimum),
            rounding_increment=str(self.rounding_increment),
            rounding_mode=self.rounding_mode,
            rounding_per=self.rounding_per,
            windows=self.windows or "",
            holidays=self.holidays or "",
            calendar_holidays=self.calendar_holidays,
            **typed_terms(self),
        )


SERVICES = Finder(
    "service",
    f"select s.id, u.name || ': ' || s.name as name, {shown_contract('c')} as about, u.ended_at is not null as is_last"  # noqa: S608
    " from service s join customer u on u.id = s.customer_id join contract c on c.id = s.contract_id",
)
"""Type-ahead search of services by customer and name. Services of former customers (with `ended_at`) come last."""
OFFERED = f"""
select s.id, s.name || ', ' || {shown_contract("c")} as words
from service s join contract c on c.id = s.contract_id
where s.customer_id = $1 and ($2::date is null or c.end_on is null or c.end_on > $2)
order by folded(s.name), c.start_on, s.id
"""  # noqa: S608


async def columns_of(
    facts: ServiceFacts, contract: Contract, service: Service | None = None, *, known_product: int | None = None
) -> dict[str, Any]:
    """Return the values of a service's columns, by name, from the fields of its form.

    `service` is the service that is changed, or None for a new one. Raise `Invalid` for a bad field. A product that has
    ended is accepted only if `service` has it already or, for a new service, if its id is `known_product`.
    """
    checked = Checked()
    taxable = checked("taxable", yes_or_no, facts.taxable)
    values: dict[str, Any] = {
        "name": checked("name", line, facts.name),
        "stands_for": checked("stands_for", one_of(tuple(StandsFor)), facts.stands_for),
        "product_id": checked("product_id", optional(identifier), facts.product_id),
        "settlement": checked("settlement", one_of(tuple(Settlement)), facts.settlement),
        "rollup": checked("rollup", one_of(tuple(Rollup)), facts.rollup),
        "taxable": taxable,
        "exemption_reason": None if taxable else checked("exemption_reason", exemption, facts.exemption_reason),
        "effective_start": checked("effective_start", optional(day), facts.effective_start) or contract.start_on,
        "rounding_minimum": checked("rounding_minimum", whole(0, 1440, "minutes"), facts.rounding_minimum),
        "rounding_increment": checked("rounding_increment", whole(1, 1440, "minutes"), facts.rounding_increment),
        "rounding_mode": checked("rounding_mode", one_of(tuple(RoundingMode)), facts.rounding_mode),
        "rounding_per": checked("rounding_per", one_of(tuple(RoundingPer)), facts.rounding_per),
        **factors_of(checked, facts),
        **terms_of(checked, facts, digits_of(contract.currency)),
    }
    check_rollover(checked, values)
    if (shared := values["included_from_id"]) is not None:
        offered = {one.id: one for one in await Service.with_included_hours(contract, service.id if service else None)}
        if shared not in offered:
            checked.refuse("included_from", "Choose another service of this contract that is paid by subscription.")
        elif offered[shared].taxable != taxable:
            checked.refuse("included_from", "One of the two services bears VAT and the other does not.")
    if (product := values["product_id"]) is not None:
        offered_products = await Product.offered(service.product_id if service else known_product)
        if product not in {one.id for one in offered_products}:
            checked.refuse("product_id", "Choose a product that is still offered.")
    checked.done()
    return values
