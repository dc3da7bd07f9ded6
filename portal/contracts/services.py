"""Services: what time is logged under, inside a contract (S4); and which one a new case of a customer gets."""

from datetime import date, datetime
from typing import Any

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Boolean, Date, Integer, Text, Timestamptz
from piccolo.query import Objects, OrderByRaw
from piccolo.table import Table

from portal.contracts.case_types import CaseType
from portal.contracts.contracts import Contract
from portal.contracts.naming import shown_contract
from portal.database import current
from portal.database.uniqueness import unless_taken
from portal.durations import Rounding, RoundingMode
from portal.errors import NotFound
from portal.fields import Checked, day, in_range, line, one_of, optional, whole
from portal.people.readers import SYSTEM, Reader, System
from portal.words import CHOICES, Rollup, Settlement

OFFERED_SETTLEMENTS = tuple(value for value, _ in CHOICES["settlement"])


class ServiceFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """A service as typed. `taxable` is yes or no; a reason is needed for no (D42). Without an `effective_start` it is the contract's."""

    name: str
    settlement: str = Settlement.TIME_SPENT.value
    rollup: str = Rollup.SERVICE.value
    taxable: str = "yes"
    exemption_reason: str = ""
    effective_start: str = ""
    rounding_minimum: str = "0"
    rounding_increment: str = "15"
    rounding_mode: str = "up"


class DefaultChoice(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a new case of one type gets, or of all types that have none of their own; no service takes the choice away."""

    service_id: int | None = None
    case_type_id: int | None = None


class Service(Table, tablename="service"):
    """Its customer is its contract's, for good (S4.10)."""

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
    created_at = Timestamptz(default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Service"]:
        """Agents see every service, a contact those of their customer."""
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
        """Return the service; with `hold` nobody else can change it until the transaction ends.

        Raises `NotFound`; also where it is not of `customer` or `contract`, if they are given (R28, R29).
        """
        query = cls.visible_to(reader).where(cls.id == in_range(service))
        query = query.lock_rows("NO KEY UPDATE") if hold else query
        query = query if customer is None else query.where(cls.customer_id == customer)
        found = await (query if contract is None else query.where(cls.contract_id == contract)).first()
        if found is None:
            raise NotFound
        return found

    @classmethod
    async def of(cls, customer: int) -> list["Service"]:
        """All services of a customer, by name."""
        return await cls.objects().where(cls.customer_id == customer).order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def offered(cls, customer: int, on: date | None = None) -> list[tuple[int, str]]:
        """Return id and words (`Helpdesk, Support 2026`) of the customer's services, for choosing one.

        With `on` only those whose contract has not ended on that day.
        """
        return [(row["id"], row["words"]) for row in await current().fetch(OFFERED, customer, on)]

    @classmethod
    async def all_offered(cls, on: date | None = None) -> list[tuple[int, str]]:
        """Return id and words (`Acme: Helpdesk, Support 2026`) of every service of a customer that has not ended, for choosing one.

        With `on` only those whose contract has not ended on that day.
        """
        return [(row["id"], row["words"]) for row in await current().fetch(ALL_OFFERED, on)]

    @classmethod
    async def create(cls, contract: Contract, facts: ServiceFacts, at: datetime) -> "Service":
        """A new service. The customer's first one becomes its default. Raises `Invalid`."""
        values = _read(facts, contract)
        async with unless_taken("name", f"This contract has a service “{values['name']}” already.") as tx:
            service = await tx.fetchval(
                "insert into service (name, settlement, rollup, taxable, exemption_reason, effective_start, rounding_minimum,"
                " rounding_increment, rounding_mode, customer_id, contract_id, created_at)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id",
                *values.values(), contract.customer_id, contract.id, at,
            )  # fmt: skip
        await current().execute(
            "insert into default_service (customer_id, service_id) values ($1, $2) on conflict do nothing",
            contract.customer_id,
            service,
        )
        return await cls.find(service, SYSTEM)

    async def change(self, facts: ServiceFacts) -> None:
        """Entries keep the billable minutes they were given; what is approved keeps its amounts. Raises `Invalid`."""
        values = _read(facts, await Contract.find(self.contract_id, SYSTEM))
        async with unless_taken("name", f"This contract has a service “{values['name']}” already.") as tx:
            await tx.execute(
                "update service set name = $1, settlement = $2, rollup = $3, taxable = $4, exemption_reason = $5, effective_start = $6,"
                " rounding_minimum = $7, rounding_increment = $8, rounding_mode = $9 where id = $10",
                *values.values(), self.id,
            )  # fmt: skip

    @property
    def rounding(self) -> Rounding:
        """How worked minutes become billable ones."""
        return Rounding(self.rounding_minimum, self.rounding_increment, RoundingMode(self.rounding_mode))

    @property
    def paid_by(self) -> str:
        """Return the words for the settlement: `Time spent`."""
        return Settlement(self.settlement).word

    @property
    def line_per(self) -> str:
        """Return what has one line each on an invoice, in a sentence: `agent` for the rollup by resource."""
        return Rollup(self.rollup).word.lower()

    @property
    def facts(self) -> ServiceFacts:
        """As its form shows it."""
        return ServiceFacts(
            name=self.name,
            settlement=self.settlement,
            rollup=self.rollup,
            taxable="yes" if self.taxable else "no",
            exemption_reason=self.exemption_reason or "",
            effective_start=self.effective_start.isoformat(),
            rounding_minimum=str(self.rounding_minimum),
            rounding_increment=str(self.rounding_increment),
            rounding_mode=self.rounding_mode,
        )


class DefaultsShown(Struct, forbid_unknown_fields=True, kw_only=True):
    """What new cases of a customer get: ids of services by the id of a case type, under "" for all types without a choice of their own."""

    services: dict[str, int]

    @classmethod
    def of(cls, services: dict[int | None, int]) -> "DefaultsShown":
        """The result of `DefaultService.of`."""
        return cls(services={str(case_type or ""): service for case_type, service in services.items()})

    def choice(self, case_type: int | None) -> DefaultChoice:
        """What was chosen for one type."""
        return DefaultChoice(service_id=self.services.get(str(case_type or "")), case_type_id=case_type)


class DefaultService(Table, tablename="default_service"):
    """What a new case of the customer gets: the row of its type, else the row without a type. The customer and the type are the key."""

    customer_id = BigInt(primary_key=True, default=None)
    case_type_id = BigInt(null=True, default=None)
    service_id = BigInt(default=None)

    @classmethod
    async def of(cls, customer: int) -> dict[int | None, int]:
        """Service by case type; under None for all other types."""
        rows = await current().fetch(
            "select case_type_id, service_id from default_service where customer_id = $1", customer
        )
        return {row["case_type_id"]: row["service_id"] for row in rows}

    @classmethod
    async def choose(cls, customer: int, service: int | None, *, case_type: int | None = None) -> None:
        """Set the default for one type, or for all without one of their own (None); a service of None takes it away.

        Cases that are there keep theirs. Raises `NotFound` for a service of another customer (R29).
        """
        tx = current()
        if case_type is not None:
            await CaseType.find(case_type)
        if service is None:
            await tx.execute(
                "delete from default_service where customer_id = $1 and case_type_id is not distinct from $2",
                customer, case_type,
            )  # fmt: skip
            return
        await Service.find(service, SYSTEM, customer=customer)
        await tx.execute(
            "insert into default_service (customer_id, case_type_id, service_id) values ($1, $2, $3)"
            " on conflict (customer_id, case_type_id) do update set service_id = excluded.service_id",
            customer, case_type, service,
        )  # fmt: skip


ALL_OFFERED = f"""
select s.id, u.name || ': ' || s.name || ', ' || {shown_contract("c")} as words
from service s join customer u on u.id = s.customer_id join contract c on c.id = s.contract_id
where u.ended_at is null and ($1::date is null or c.end_on is null or c.end_on > $1)
order by folded(u.name), folded(s.name), c.start_on, s.id
"""  # noqa: S608
OFFERED = f"""
select s.id, s.name || ', ' || {shown_contract("c")} as words
from service s join contract c on c.id = s.contract_id
where s.customer_id = $1 and ($2::date is null or c.end_on is null or c.end_on > $2)
order by folded(s.name), c.start_on, s.id
"""  # noqa: S608


def _read(facts: ServiceFacts, contract: Contract) -> dict[str, Any]:
    checked = Checked()
    taxable = checked("taxable", one_of(("yes", "no")), facts.taxable) == "yes"
    values: dict[str, Any] = {
        "name": checked("name", line, facts.name),
        "settlement": checked("settlement", one_of(OFFERED_SETTLEMENTS), facts.settlement),
        "rollup": checked("rollup", one_of(tuple(Rollup)), facts.rollup),
        "taxable": taxable,
        "exemption_reason": None if taxable else checked("exemption_reason", _reason, facts.exemption_reason),
        "effective_start": checked("effective_start", optional(day), facts.effective_start) or contract.start_on,
        "rounding_minimum": checked("rounding_minimum", whole(0, 1440, "minutes"), facts.rounding_minimum),
        "rounding_increment": checked("rounding_increment", whole(1, 1440, "minutes"), facts.rounding_increment),
        "rounding_mode": checked("rounding_mode", one_of(tuple(RoundingMode)), facts.rounding_mode),
    }
    checked.done()
    return values


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("Say why there is no tax: the sentence stands on the invoice.")
    return line(text)
