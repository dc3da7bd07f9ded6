"""Create the customers of the demo in the database, with contacts, contracts, services and special hourly rates."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.contracts.contracts import Contract, ContractFacts
from portal.contracts.prices.changes import PriceChange, PriceFacts
from portal.contracts.services import Service
from portal.contracts.vouchers import Voucher, VoucherFacts
from portal.demo.company import price_of
from portal.demo.customers import CASES, CUSTOMERS, EVERYTHING, Organisation
from portal.desk.deadlines.calendars import WEEKDAYS, HoursFacts, save_hours
from portal.desk.deadlines.targets import TargetFacts, save_targets
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer
from portal.people.readers import SYSTEM, AgentReader, ContactReader
from portal.words import Settlement


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer that was created in the database. Cases of the customer use the first of `services` by default."""

    id: int
    organisation: Organisation
    contacts: tuple[ContactReader, ...]
    services: tuple[Service, ...]

    @property
    def name(self) -> str:
        """Return the name of the customer, as agents see it."""
        return self.organisation.facts.name

    def service(self, name: str) -> Service:
        """Return the customer's service with this name."""
        return next(service for service in self.services if service.name == name)


async def create_customers(start: date, at: datetime) -> dict[str, DemoCustomer]:
    """Create all customers with contacts, contracts and services, and return the customers by name.

    The contracts start on the day `start`.
    """
    return {organisation.facts.name: await _create(organisation, start, at) for organisation in CUSTOMERS}


async def _create(organisation: Organisation, start: date, at: datetime) -> DemoCustomer:
    customer = await Customer.create(organisation.facts, at)
    if organisation.delivery:
        await customer.deliver(organisation.delivery)
    contacts = [await _contact(customer, organisation, place, at) for place in range(len(organisation.people))]
    if organisation.caller:
        name, phone = organisation.caller
        await Contact.create(
            customer, ContactFacts(name=name, phone=phone, time_zone=organisation.people[0].time_zone), at
        )
    services = []
    for frame in organisation.frames:
        facts = ContractFacts(
            name=frame.name.format(year=start.year),
            start_on=start.isoformat(),
            currency=frame.currency,
            payment_days=str(frame.payment_days),
            vat_rate=frame.vat_rate,
            order_reference=frame.order_reference,
            requires_order=bool(frame.order_reference),
            valid_until=(start + timedelta(days=729)).isoformat() if frame.order_reference else "",
            notice_days="90" if frame.order_reference else "",
            renewal_months="12" if frame.order_reference else "",
            cash_rounding=frame.cash_rounding,
        )
        contract = await Contract.create(customer, facts, at)
        services += [await Service.create(contract, each, at) for each in frame.services]
    for service in services:
        if service.settlement == Settlement.VOUCHER:
            await _sell(customer, service, start, at)
    return DemoCustomer(customer.id, organisation, tuple(contacts), tuple(services))


async def _sell(customer: Customer, service: Service, on: date, at: datetime) -> None:
    """Sell the customer a voucher of 20 hours for a service. The voucher is valid for two years."""
    facts = VoucherFacts(
        services=[str(service.id)], hours="20h", price="1900", sold_on=on.isoformat(),
        valid_until=(on + timedelta(days=730)).isoformat(),
    )  # fmt: skip
    await Voucher.sell(customer, facts, at)


async def _contact(customer: Customer, organisation: Organisation, place: int, at: datetime) -> ContactReader:
    person = organisation.people[place]
    facts = ContactFacts(
        name=person.name,
        email=f"{person.mailbox}@{organisation.domain}",
        phone=person.phone,
        sees_all_cases=person.may in (EVERYTHING, CASES),
        sees_invoices=person.may == EVERYTHING,
        manages_contacts=person.may == EVERYTHING,
        time_zone=person.time_zone,
    )
    contact = await Contact.create(customer, facts, at)
    return ContactReader(
        id=contact.id,
        credential_id=(await contact.credential())["id"],
        customer_id=customer.id,
        customer_name=customer.name,
        name=person.name,
        email=facts.email,
        locale=facts.locale,
        time_zone=facts.time_zone,
        # The demo runs with the database role of agents, which may not call `app_shared_cases()`. For contacts who see
        # all cases, `Case.visible_sql` does not call that function.
        sees_all_cases=True,
        sees_invoices=facts.sees_invoices,
        manages_contacts=facts.manages_contacts,
    )


async def raise_prices(customers: dict[str, DemoCustomer], since: date, at: datetime) -> None:
    """Raise the fee of Acme's subscription "Network care" from the day `since` on."""
    care = customers["Acme"].service("Network care")
    facts = PriceFacts(effective_from=since.isoformat(), fee="475", included="4h")
    await PriceChange.create(care, await Contract.find(care.contract_id, SYSTEM), facts, at)


async def agree_prices(
    customers: dict[str, DemoCustomer], agents: dict[str, AgentReader], roles: dict[str, str], start: date, at: datetime
) -> None:
    """Create hourly rates of every scope (service, customer, agent, role), so that invoices show each kind of price.

    The rates are valid from the day `start`.
    """
    care = str(customers["Acme"].service("Network care").id)
    await price_of("130", start, at, service_id=care, role_id=roles["Senior consultant"])
    await price_of("126", start, at, service_id=care, agent_id=str(agents["Ines Okafor"].id))
    await price_of("141.50", start, at, service_id=str(customers["Ostrand Shipping"].service("Ship networks").id))
    await price_of("89", start, at, customer_id=str(customers["Birkholm Foods"].id), role_id=roles["Consultant"])
    await price_of("96.40", start, at, customer_id=str(customers["Kelvaro Instruments"].id))


async def promise_deadlines(customers: dict[str, DemoCustomer]) -> None:
    """Set the business hours, with a lunch break, and the targets of each priority.

    Cases under the service "Ship networks" have shorter targets than all others.
    """
    week = dict.fromkeys((f"hours_{day}" for day in WEEKDAYS[:4]), "8:30-12, 13-17:30")
    await save_hours(
        HoursFacts(**week, hours_friday="8:30-12, 13-16", time_zone="Europe/Berlin", country="DE", region="HH")
    )
    await save_targets(
        TargetFacts(
            reply_urgent="30m", solve_urgent="4h", goal_urgent="95", reply_high="2h", solve_high="1d", goal_high="90",
            reply_normal="4h", solve_normal="4d", goal_normal="90", reply_low="1d", solve_low="10d", goal_low="80",
        )
    )  # fmt: skip
    await save_targets(
        TargetFacts(
            reply_urgent="15m", solve_urgent="2h", goal_urgent="98", reply_high="1h", solve_high="4h", goal_high="95",
            reply_normal="2h", solve_normal="2d", goal_normal="95", reply_low="4h", solve_low="5d", goal_low="90",
        ),
        customers["Ostrand Shipping"].service("Ship networks").id,
    )  # fmt: skip
