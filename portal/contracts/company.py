"""The company: us, as the seller on every invoice; and the series that its invoice numbers come from."""

import re
from dataclasses import dataclass
from decimal import Decimal

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Char, Numeric, SmallInt, Text
from piccolo.table import Table

from portal.contracts.case_types import seed_case_types
from portal.contracts.contracts import percentage
from portal.database import current
from portal.errors import Conflict, Invalid
from portal.fields import Checked, bic, email, iban, line, optional, phone, vat_id
from portal.regions import country, currency, time_zone

BRIEF = """
select c.name as company, c.currency, c.time_zone as company_zone, (select left(encode(sha256, 'hex'), 12) from logo) as logo from company c
"""
"""Select what every page shows of the company. `sessions.find` runs this in the statement that identifies the reader."""


class CompanyFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """The company as typed. `first_number` is the first invoice number as it shall be printed, such as 2026-0147.

    `vat_rate` is filled in where a VAT rate is typed.
    """

    name: str
    legal_name: str = ""
    street: str
    postcode: str
    city: str
    country: str
    vat_id: str
    email: str
    phone: str = ""
    bank_name: str
    iban: str
    bic: str = ""
    currency: str
    time_zone: str
    vat_rate: str = ""
    first_number: str


class Company(Table, tablename="company"):
    """The one row."""

    id = SmallInt(primary_key=True, default=1)
    name = Text(default=None)
    legal_name = Text(default=None)
    street = Text(default=None)
    postcode = Text(default=None)
    city = Text(default=None)
    country = Char(length=2, default=None)
    vat_id = Text(default=None)
    email = Text(default=None)
    phone = Text(null=True, default=None)
    bank_name = Text(default=None)
    iban = Text(default=None)
    bic = Text(null=True, default=None)
    currency = Char(length=3, default=None)
    time_zone = Text(default=None)
    vat_rate = Numeric(digits=(7, 4), null=True, default=None)

    @classmethod
    async def find(cls, *, hold: bool = False) -> "Company | None":
        """Return the company, None until somebody has set it up; with `hold` nobody else can until the transaction ends."""
        if hold:  # the table: there may be no row yet
            await current().execute("lock table company in share row exclusive mode")
        return await cls.objects().get(cls.id == 1)

    @classmethod
    async def needed(cls) -> "Company":
        """Raises `Conflict` until somebody has set it up."""
        found = await cls.find()
        if found is None:
            raise Conflict("The company is not set up yet. An admin does that under Set-up.")
        return found

    @classmethod
    async def set_up(cls, facts: CompanyFacts) -> "Company":
        """Set up the company, or change it; issued invoices keep what they copied.

        The first time there are case types to begin with. Raises `Invalid`, also for another first number once one has
        been taken.
        """
        values, series = _read(facts)
        first = await cls.find() is None
        await current().execute(
            "insert into company (name, legal_name, street, postcode, city, country, vat_id, email, phone, bank_name, iban, bic,"
            " currency, time_zone, vat_rate) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict (id) do update"
            " set (name, legal_name, street, postcode, city, country, vat_id, email, phone, bank_name, iban, bic, currency, time_zone,"
            " vat_rate) = row(excluded.name, excluded.legal_name, excluded.street, excluded.postcode, excluded.city, excluded.country,"
            " excluded.vat_id, excluded.email, excluded.phone, excluded.bank_name, excluded.iban, excluded.bic, excluded.currency,"
            " excluded.time_zone, excluded.vat_rate)",
            *values.values(),
        )
        await NumberSeries.begin(*series)
        if first:
            await seed_case_types()
        return await cls.needed()

    async def facts(self) -> CompanyFacts:
        """As its form shows it."""
        series, others = await NumberSeries.find(), ("vat_rate", "first_number")
        return CompanyFacts(
            **{name: getattr(self, name) or "" for name in CompanyFacts.__struct_fields__ if name not in others},
            vat_rate="" if self.vat_rate is None else f"{self.vat_rate.normalize():f}",
            first_number=series.printed(series.first_number) if series else "",
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was taken: `printed` is what people quote."""

    series_id: int
    series_number: int
    printed: str


class NumberSeries(Table, tablename="number_series"):
    """Dense numbers from a first one on: a counter row that is locked until the transaction that took one ends (D36)."""

    id = BigSerial(primary_key=True)
    kind = Text(default=None)
    prefix = Text(default=None)
    width = SmallInt(default=None)
    first_number = BigInt(default=None)
    next_number = BigInt(default=None)

    @classmethod
    async def find(cls) -> "NumberSeries | None":
        """The series of invoices; None until the company is set up."""
        return await cls.objects().get(cls.kind == "invoice")

    @classmethod
    async def begin(cls, prefix: str, width: int, first_number: int) -> None:
        """Where the series starts. Raises `Invalid` for another start once a number has been taken."""
        held = await current().fetchrow("select * from number_series where kind = 'invoice' for update")
        if held is None:
            await current().execute(
                "insert into number_series (kind, prefix, width, first_number, next_number) values ('invoice', $1, $2, $3, $3)",
                prefix, width, first_number,
            )  # fmt: skip
        elif (prefix, width, first_number) != (held["prefix"], held["width"], held["first_number"]):
            if held["next_number"] > held["first_number"]:
                raise Invalid(
                    {"first_number": "An invoice has been issued: its series cannot start elsewhere any more."}
                )
            await current().execute(
                "update number_series set prefix = $1, width = $2, first_number = $3, next_number = $3 where id = $4",
                prefix, width, first_number, held["id"],
            )  # fmt: skip

    @classmethod
    async def take(cls) -> Number:
        """The next number, for the invoice that this transaction issues; if it rolls back, the number is free again.

        Whoever else issues waits here until this transaction ends. Raises `Conflict` until the company is set up.
        """
        row = await current().fetchrow(
            "update number_series set next_number = next_number + 1 where kind = 'invoice'"
            " returning id, prefix, width, next_number - 1 as taken"
        )
        if row is None:
            raise Conflict("There is no series of invoice numbers yet. An admin sets it up with the company.")
        return Number(row["id"], row["taken"], f"{row['prefix']}{row['taken']:0{row['width']}d}")

    def printed(self, number: int) -> str:
        """A number of the series as it stands on an invoice."""
        return f"{self.prefix}{number:0{self.width}d}"


def _first_number(text: str) -> tuple[str, int, int]:
    """Prefix, least width of the digits, and number: `2026-0147` gives `2026-`, 4, 147."""
    parts = re.fullmatch(r"([A-Z0-9-]{0,12}?)([0-9]{1,10})", text.strip().upper())
    if parts is None:
        raise ValueError("Write capital letters, digits and hyphens that end in a number, such as 2026-0147.")
    return parts[1], len(parts[2]), int(parts[2])


def _read(facts: CompanyFacts) -> tuple[dict[str, str | Decimal | None], tuple[str, int, int]]:
    checked = Checked()
    values: dict[str, str | Decimal | None] = {
        "name": checked("name", line, facts.name),
        "legal_name": checked("legal_name", line, facts.legal_name.strip() or facts.name.strip() or "-"),
        "street": checked("street", line, facts.street),
        "postcode": checked("postcode", line, facts.postcode),
        "city": checked("city", line, facts.city),
        "country": checked("country", country, facts.country),
        "vat_id": checked("vat_id", vat_id, facts.vat_id),
        "email": checked("email", email, facts.email),
        "phone": checked("phone", optional(phone), facts.phone),
        "bank_name": checked("bank_name", line, facts.bank_name),
        "iban": checked("iban", iban, facts.iban),
        "bic": checked("bic", optional(bic), facts.bic),
        "currency": checked("currency", currency, facts.currency),
        "time_zone": checked("time_zone", time_zone, facts.time_zone),
        "vat_rate": checked("vat_rate", optional(percentage), facts.vat_rate),
    }
    series = checked("first_number", _first_number, facts.first_number)
    checked.done()
    return values, series
