"""Create the company of the demo, with its departments, roles, agents, hourly rates, products and templates."""

from datetime import date, datetime
from typing import cast

from portal.contracts.company import Company, CompanyFacts
from portal.contracts.price_list.products import Product, ProductFacts, ProductPriceFacts
from portal.contracts.price_list.templates import ServiceTemplate, TemplateFacts
from portal.contracts.rates import Rate, RateFacts, RoleFacts, create_role
from portal.demo.calendar import ZONE
from portal.desk.dispatch.rules import DispatchRule, RuleFacts
from portal.desk.replies.canned import CannedFacts, CannedReply
from portal.people.agents import Agent, AgentFacts, reader_of_agent
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import AgentReader

COMPANY = CompanyFacts(
    name="Halden IT",
    legal_name="Halden IT GmbH",
    street="Fleetgang 9",
    postcode="20459",
    city="Hamburg",
    country="DE",
    vat_id="DE280846576",
    email="office@desk.example",
    phone="+49 40 555 0100",
    bank_name="Elbufer Bank",
    iban="DE63 2009 9900 0000 4147 00",
    bic="ELBUDEHHXXX",
    currency="EUR",
    time_zone=ZONE,
    vat_rate="19",
    first_number="HI-20417",
)

DEPARTMENTS = (
    ("Office", ""),
    ("Delivery", ""),
    ("Service desk", "Delivery"),
    ("Networks", "Delivery"),
    ("Servers", "Delivery"),
)
"""The name of each department and the name of its parent department, or ""."""

ROLES = {"Senior consultant": ("118", "122"), "Consultant": ("94", "98"), "Technician": ("72", "75")}
"""The hourly rates of each role in euros: from the start of the demo, and from its third month."""
FRANCS = {"Senior consultant": "135", "Consultant": "112", "Technician": "88"}
"""The hourly rate of each role in Swiss francs."""

PRODUCTS = (
    ("Support by the hour", "hour", {"EUR": "94", "CHF": "112"}),
    ("Managed workstation", "month", {"EUR": "49", "CHF": "58"}),
    ("Travel", "kilometre", {"EUR": "0.52"}),
)
"""The products of the price list: name, unit and the price in each currency."""

TEMPLATES = (
    TemplateFacts(name="Hours as needed", currency="EUR", stands_for="contract"),
    TemplateFacts(
        name="Care 20", currency="EUR", settlement="subscription", fee="1700", included="20h", overage_rate="98",
        stands_for="entitlement",
    ),
    TemplateFacts(
        name="Voucher of 20 hours", currency="EUR", settlement="voucher", voucher_hours="20h", voucher_price="1900"
    ),
)  # fmt: skip
"""The templates of services."""

AGENTS = (
    ("Noor Haddad", "admin", "Consultant", "Office", ()),
    ("Max Herrmann", "manager", "Senior consultant", "Delivery", ("Office", "Delivery")),
    ("Ines Okafor", "agent", "Senior consultant", "Networks", ()),
    ("Jonas Brandt", "agent", "Consultant", "Service desk", ()),
    ("Lena Vogt", "agent", "Consultant", "Networks", ()),
    ("Tomasz Wilk", "agent", "Senior consultant", "Servers", ()),
    ("Petra Lindahl", "agent", "Technician", "Service desk", ()),
    ("Rosa Lindner", "manager", "Consultant", "Service desk", ("Service desk",)),
)
"""The name, grade, role and department of each agent, and the departments whose time the agent may approve."""


async def create(start: date, third_month: date, at: datetime) -> tuple[dict[str, AgentReader], dict[str, str]]:
    """Create the company, its products, templates of services, departments, roles with rates, and agents.

    The rates begin on the day `start`, and the rates in euros rise on the day `third_month`. Return the agents by name,
    and the ids of the roles by name. The ids are strings, as forms send them.
    """
    await Company.set_up(COMPANY)
    for name, unit, prices in PRODUCTS:
        product = await Product.create(ProductFacts(name=name, unit=unit))
        for currency, price in prices.items():
            await product.set_price(ProductPriceFacts(price=price, currency=currency))
    for template in TEMPLATES:
        await ServiceTemplate.create(template)
    departments: dict[str, str] = {}
    for name, above in DEPARTMENTS:
        department = await Department.create(DepartmentFacts(name=name, parent_id=departments.get(above, "")))
        departments[name] = str(department.id)
    roles: dict[str, str] = {}
    for name, (price, raised) in ROLES.items():
        role = await create_role(RoleFacts(name=name, hourly_rate=price, effective_from=start.isoformat()), at)
        roles[name] = str(role.id)
        await price_of(raised, third_month, at, role_id=roles[name])
        await price_of(FRANCS[name], start, at, "CHF", role_id=roles[name])
    agents = {}
    for name, grade, role_name, department_name, approves in AGENTS:
        facts = AgentFacts(
            name=name,
            email=f"{name.split()[0].lower()}@desk.example",
            grade=grade,
            role_id=roles[role_name],
            department_id=departments[department_name],
            time_zone=ZONE,
            approves=[departments[each] for each in approves],
        )
        agents[name] = cast(AgentReader, await reader_of_agent((await Agent.create(facts, at)).id))
    return agents, roles


RULES = (
    ("Nothing works", "down, outage", "", "load", 4),
    ("Networks", "vpn, wi-fi, wlan, network, switch", "Networks", "load", 0),
    ("All other cases", "", "Service desk", "turn", 0),
)
"""The rules of dispatch.

Each rule has a name, words of the subject, a department, how an agent is chosen, and the priority to set or 0.
"""


async def create_rules() -> None:
    """Create the rules by which new cases of the demo are dispatched from now on."""
    departments = {one.name: str(one.id) for one in await Department.all_by_name()}
    for name, words, department, balance, priority in RULES:
        facts = RuleFacts(
            name=name,
            words=words,
            department_id=departments.get(department, ""),
            balance=balance,
            sets_priority=str(priority or ""),
        )
        await DispatchRule.create(facts)


CANNED = (
    ("Remote session", "Hello {first name},\n\nmay we look at it together? Start the remote help and tell us the number that it shows.\n\n{agent}"),
    ("Solved", "Hello {first name},\n\nthis works again. If it does not, write here: #{number} then opens again.\n\n{agent}, {company}"),
)  # fmt: skip
"""The canned replies for everybody: name and text."""


async def create_canned_replies(by: AgentReader) -> None:
    """Create the canned replies of the demo; `by` is a manager."""
    for name, text in CANNED:
        await CannedReply.create(CannedFacts(name=name, text=text, shared="yes"), by)


async def price_of(hourly_rate: str, since: date, at: datetime, currency: str = "EUR", **scope: str) -> None:
    """Create an hourly rate that is valid from the day `since`. `scope` holds fields of `RateFacts`, such as `role_id`."""
    facts = RateFacts(hourly_rate=hourly_rate, currency=currency, effective_from=since.isoformat(), **scope)
    await Rate.create(facts, at)
