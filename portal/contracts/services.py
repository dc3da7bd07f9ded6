"""Services: the parts of a contract under which time is logged (S4), and the default service of new cases."""

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
from portal.database.finder import Finder
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.durations import Rounding, RoundingMode
from portal.fields import Checked, day, in_range, line, one_of, optional, whole, yes_or_no
from portal.people.readers import SYSTEM, Reader, System
from portal.words import CHOICES, Rollup, Settlement

OFFERED_SETTLEMENTS = tuple(value for value, _ in CHOICES["settlement"])


class ServiceFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a service as typed.

    `taxable` is `yes` or `no`; `no` requires a reason for the exemption (D42). If `effective_start` is empty, the
    service starts with its contract. `rounding_minimum` and `rounding_increment` are minutes.
    """

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
    """Form fields with the default service for new cases of one case type.

    If `case_type_id` is None, the choice is for all case types without a default of their own. If `service_id` is None,
    the default is removed.
    """

    service_id: int | None = None
    case_type_id: int | None = None


class Service(Table, tablename="service"):
    """A part of a contract under which time is logged. It never moves to another contract or customer (S4.10).

    `settlement` says how its time is paid for, `rollup` how its time becomes lines of an invoice.
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
    created_at = Timestamptz(default=None)

    @classmethod
    def visible_to(cls, reader: Reader | System) -> Objects["Service"]:
        """Return a query of the services that `reader` may see: agents see all, a contact those of their customer."""
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

        Raise `NotFound` if there is no such service, if `reader` may not see it, or if `customer` or `contract` is
        given and the service belongs to another one (R28, R29).
        """
        query = cls.visible_to(reader).where(cls.id == in_range(service))
        query = query if customer is None else query.where(cls.customer_id == customer)
        return await one(query if contract is None else query.where(cls.contract_id == contract), hold=hold)

    @classmethod
    async def of(cls, customer: int) -> list["Service"]:
        """Return all services of a customer, sorted by name."""
        return await cls.objects().where(cls.customer_id == customer).order_by(OrderByRaw("folded(name)"))

    @classmethod
    async def offered(cls, customer: int, on: date | None = None) -> list[tuple[int, str]]:
        """Return the services of a customer as options of a select field: pairs of id and label.

        The label has the names of service and contract (`Helpdesk, Support 2026`). With `on`, services whose contract has
        ended by that day are left out.
        """
        return [(row["id"], row["words"]) for row in await current().fetch(OFFERED, customer, on)]

    @classmethod
    async def create(cls, contract: Contract, facts: ServiceFacts, at: datetime) -> "Service":
        """Add a service to the contract and return it.

        The first service of a customer becomes the default service of the customer's new cases. Raise `Invalid` for a
        bad field, or if the contract has another service of that name.
        """
        values = _read(facts, contract)
        async with unless_taken("name", f"This contract has a service “{values['name']}” already."):
            [service] = await cls.insert(
                cls(**values, customer_id=contract.customer_id, contract_id=contract.id, created_at=at)
            )
        default = DefaultService(customer_id=contract.customer_id, service_id=service["id"])
        await DefaultService.insert(default).on_conflict(action="DO NOTHING")
        return await cls.find(service["id"], SYSTEM)

    async def change(self, facts: ServiceFacts) -> None:
        """Replace every field of the service. Logged minutes and approved amounts do not change.

        Raise `Invalid` for a bad field, or if the contract has another service of that name.
        """
        values = _read(facts, await Contract.find(self.contract_id, SYSTEM))
        async with unless_taken("name", f"This contract has a service “{values['name']}” already."):
            await Service.update(**values).where(Service.id == self.id)

    @property
    def rounding(self) -> Rounding:
        """Return the rule by which worked minutes become billable minutes."""
        return Rounding(self.rounding_minimum, self.rounding_increment, RoundingMode(self.rounding_mode))

    @property
    def paid_by(self) -> str:
        """Return how time of this service is paid for, in the words that pages show, such as `Time spent`."""
        return Settlement(self.settlement).word

    @property
    def line_per(self) -> str:
        """Return the noun for what each line of an invoice stands for, such as `agent` for the rollup by resource."""
        return Rollup(self.rollup).word.lower()

    @property
    def facts(self) -> ServiceFacts:
        """Return the stored values of the service as form fields, to fill in the form that edits them."""
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
    """The default services of a customer as a page showed them; the page sends them back with its form.

    The keys are ids of case types as text; the key "" is for all case types without a default of their own.
    """

    services: dict[str, int]

    @classmethod
    def of(cls, services: dict[int | None, int]) -> "DefaultsShown":
        """Convert the result of `DefaultService.of`: ids of case types become text, and None becomes "", for JSON."""
        return cls(services={str(case_type or ""): service for case_type, service in services.items()})

    def choice(self, case_type: int | None) -> DefaultChoice:
        """Return the default service that the page showed for `case_type` or, if None, for all other case types."""
        return DefaultChoice(service_id=self.services.get(str(case_type or "")), case_type_id=case_type)


class DefaultService(Table, tablename="default_service"):
    """The default service of a customer's new cases of one case type.

    For a new case, the row of its case type applies; without such a row, the row whose case type is null. Customer and
    case type together are the primary key, which Piccolo cannot express.
    """

    customer_id = BigInt(primary_key=True, default=None)
    case_type_id = BigInt(null=True, default=None)
    service_id = BigInt(default=None)

    @classmethod
    async def of(cls, customer: int) -> dict[int | None, int]:
        """Return the ids of a customer's default services by case type. The key None is for all other case types."""
        rows = await cls.select(cls.case_type_id, cls.service_id).where(cls.customer_id == customer)
        return {row["case_type_id"]: row["service_id"] for row in rows}

    @classmethod
    async def choose(cls, customer: int, service: int | None, *, case_type: int | None = None) -> None:
        """Set or remove the default service of a customer's new cases. Existing cases keep their service.

        The default is for cases of `case_type` or, if that is None, of all case types without a default of their own.
        If `service` is None, the default is removed. Raise `NotFound` for an unknown case type, or if the service
        belongs to another customer (R29).
        """
        if case_type is not None:
            await CaseType.find(case_type)
        if service is None:
            await cls.delete().where(cls.customer_id == customer, cls.case_type_id == case_type)
            return
        await Service.find(service, SYSTEM, customer=customer)
        await cls.insert(cls(customer_id=customer, case_type_id=case_type, service_id=service)).on_conflict(
            target=(cls.customer_id, cls.case_type_id), action="DO UPDATE", values=[cls.service_id]
        )


SERVICES = Finder(
    "service",
    f"select s.id, u.name || ': ' || s.name as name, {shown_contract('c')} as about, u.ended_at is not null as is_last"  # noqa: S608
    " from service s join customer u on u.id = s.customer_id join contract c on c.id = s.contract_id",
)
"""Type-ahead search of services by customer and name. Services of customers that have ended come last."""
OFFERED = f"""
select s.id, s.name || ', ' || {shown_contract("c")} as words
from service s join contract c on c.id = s.contract_id
where s.customer_id = $1 and ($2::date is null or c.end_on is null or c.end_on > $2)
order by folded(s.name), c.start_on, s.id
"""  # noqa: S608


def _read(facts: ServiceFacts, contract: Contract) -> dict[str, Any]:
    checked = Checked()
    taxable = checked("taxable", yes_or_no, facts.taxable)
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
        raise ValueError("Say why there is no tax: the sentence is printed on the invoice.")
    return line(text)
