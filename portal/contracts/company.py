"""The company that runs the portal (the supplier on every invoice) and the series of its invoice numbers."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from piccolo.columns import BigInt, BigSerial, Char, Numeric, SmallInt, Text, Timestamptz
from piccolo.table import Table

from portal.contracts.case_types import seed_case_types
from portal.contracts.contracts import percentage
from portal.database import current
from portal.errors import Conflict, Invalid
from portal.fields import Checked, bic, email, iban, line, optional, phone, vat_id
from portal.people.parties import PartyFacts, read_party
from portal.regions import currency, time_zone

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
"""The kinds of documents that have a series of numbers."""
FIRST_NUMBERS = {INVOICE: "first_number", CREDIT_NOTE: "first_credit_number"}
"""The form field with the first number of each series, by kind."""
FIRST_CREDIT_NUMBER = "C-0001"
"""The first number of a credit note, if the company has set up no other."""

BRIEF = """
select c.name as company, c.currency, c.time_zone as company_zone, (select left(encode(sha256, 'hex'), 12) from logo) as logo from company c
"""
"""SQL that selects what every page shows of the company. It is part of the query that finds the session."""


class CompanyFacts(PartyFacts, kw_only=True):
    """Form fields of the company as typed.

    `first_number` is the first invoice number as printed, such as 2026-0147. `first_credit_number` is the first number
    of a credit note; if it is empty, credit notes begin with `FIRST_CREDIT_NUMBER`. `vat_rate`, which is optional, is
    the VAT rate in per cent that the form for a new contract shows at first.
    """

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
    first_credit_number: str = ""


class Company(Table, tablename="company"):
    """The supplier on every invoice: the company that runs the portal. The table has at most one row.

    `steps_dismissed_at` is when an admin hid the first steps (`portal.first_steps`), or None.
    """

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
    steps_dismissed_at = Timestamptz(null=True, default=None)

    @classmethod
    async def find(cls, *, hold: bool = False) -> "Company | None":
        """Return the company, or None if it has not been set up.

        With `hold`, lock the table until the transaction ends, so that no other transaction can set up or change the
        company.
        """
        if hold:  # The whole table is locked, because before the set-up there is no row to lock.
            await current().execute("lock table company in share row exclusive mode")
        return await cls.objects().get(cls.id == 1)

    @classmethod
    async def needed(cls) -> "Company":
        """Return the company. Raise `Conflict` if it has not been set up."""
        found = await cls.find()
        if found is None:
            raise Conflict("The company is not set up yet. An admin does that under Set-up.")
        return found

    @classmethod
    async def set_up(cls, facts: CompanyFacts) -> "Company":
        """Create the company or replace its data and the first numbers of its documents, and return the company.

        Issued invoices keep the company data that was copied into them. When the company is created, the case types of
        a new installation are created too. Raise `Invalid` for a bad field, or if the first number of a series would
        change although a document has already taken a number of the series.
        """
        values, series, credit_series = _read(facts)
        first = await cls.find() is None
        await cls.insert(cls(**values)).on_conflict(
            target=cls.id, action="DO UPDATE", values=cls.all_columns(exclude=[cls.id, cls.steps_dismissed_at])
        )
        await NumberSeries.begin(*series)
        await NumberSeries.begin(*credit_series, CREDIT_NOTE)
        if first:
            await seed_case_types()
        return await cls.needed()

    @classmethod
    async def dismiss_steps(cls, at: datetime | None) -> None:
        """Hide the first steps for all admins, or show them again if `at` is None.

        Nothing happens before the company is set up.
        """
        await cls.update({cls.steps_dismissed_at: at}).where(cls.id == 1)

    async def facts(self) -> CompanyFacts:
        """Return the stored values of the company as form fields, to fill in the form that edits them."""
        series, others = await NumberSeries.find(), ("vat_rate", "first_number", "first_credit_number")
        credits = await NumberSeries.find(CREDIT_NOTE)
        return CompanyFacts(
            **{name: getattr(self, name) or "" for name in CompanyFacts.__struct_fields__ if name not in others},
            vat_rate="" if self.vat_rate is None else f"{self.vat_rate.normalize():f}",
            first_number=series.printed(series.first_number) if series else "",
            first_credit_number=credits.printed(credits.first_number) if credits else "",
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was taken from a series.

    `series_number` is the bare number, such as 147; `printed` is the number as the document prints it, such as
    2026-0147.
    """

    series_id: int
    series_number: int
    printed: str


class NumberSeries(Table, tablename="number_series"):
    """A series of consecutive numbers for the documents of one kind (`INVOICE` or `CREDIT_NOTE`).

    `next_number` is the number that the next document gets; taking it locks the row until the transaction ends (D36).
    `prefix` is printed before each number, and `width` is the minimum number of digits.
    """

    id = BigSerial(primary_key=True)
    kind = Text(default=None)
    prefix = Text(default=None)
    width = SmallInt(default=None)
    first_number = BigInt(default=None)
    next_number = BigInt(default=None)

    @classmethod
    async def find(cls, kind: str = INVOICE) -> "NumberSeries | None":
        """Return the series of numbers of this kind of document, or None if it has not been set up."""
        return await cls.objects().get(cls.kind == kind)

    @classmethod
    async def begin(cls, prefix: str, width: int, first_number: int, kind: str = INVOICE) -> None:
        """Create the series of numbers of this kind of document, or change its prefix, width and first number.

        The row is locked until the transaction ends. If a document has already taken a number of the series, raise
        `Invalid` for any other prefix, width or first number; `FIRST_NUMBERS` names the form field of the message.
        """
        held = await cls.objects().where(cls.kind == kind).lock_rows("UPDATE").first()
        if held is None:
            await cls.insert(
                cls(kind=kind, prefix=prefix, width=width, first_number=first_number, next_number=first_number)
            )
        elif (prefix, width, first_number) != (held.prefix, held.width, held.first_number):
            if held.is_used:
                noun = "An invoice" if kind == INVOICE else "A credit note"
                raise Invalid(
                    {FIRST_NUMBERS[kind]: f"{noun} has been issued: its series can no longer start elsewhere."}
                )
            await cls.update(prefix=prefix, width=width, first_number=first_number, next_number=first_number).where(
                cls.id == held.id
            )

    @classmethod
    async def take(cls, kind: str = INVOICE) -> Number:
        """Take and return the next number, for the document of this kind that this transaction issues.

        The row stays locked until the transaction ends, so other transactions that issue such a document wait for this
        one. If the transaction rolls back, the next document gets the same number, so that there is no gap. Raise
        `Conflict` if there is no series for this kind of document yet.
        """
        row = await current().fetchrow(
            "update number_series set next_number = next_number + 1 where kind = $1"
            " returning id, prefix, width, next_number - 1 as taken",
            kind,
        )
        if row is None:
            raise Conflict("There is no series of numbers yet. An admin sets it up with the company.")
        return Number(row["id"], row["taken"], f"{row['prefix']}{row['taken']:0{row['width']}d}")

    @property
    def is_used(self) -> bool:
        """Return whether a document has taken a number of the series. If so, the first number can no longer change."""
        return bool(self.next_number > self.first_number)

    @classmethod
    async def ready_for_credits(cls) -> "NumberSeries":
        """Return the series of credit notes. If there is none yet, create it; it begins with `FIRST_CREDIT_NUMBER`."""
        prefix, width, first = _first_number(FIRST_CREDIT_NUMBER)
        await current().execute(
            "insert into number_series (kind, prefix, width, first_number, next_number) values ($1, $2, $3, $4, $4)"
            " on conflict (kind) do nothing",
            CREDIT_NOTE, prefix, width, first,
        )  # fmt: skip
        found = await cls.find(CREDIT_NOTE)
        if found is None:
            raise RuntimeError("the series of credit notes was not created")
        return found

    def printed(self, number: int) -> str:
        """Return `number` as a document prints it: with the prefix of the series and leading zeros."""
        return f"{self.prefix}{number:0{self.width}d}"


def _first_number(text: str) -> tuple[str, int, int]:
    """Return the prefix, the minimum number of digits, and the number: `2026-0147` gives `2026-`, 4 and 147.

    Raise `ValueError` with an error message for other text.
    """
    parts = re.fullmatch(r"([A-Z0-9-]{0,12}?)([0-9]{1,10})", text.strip().upper())
    if parts is None:
        raise ValueError("Write capital letters, digits and hyphens that end in a number, such as 2026-0147.")
    return parts[1], len(parts[2]), int(parts[2])


Series = tuple[str, int, int]
"""The prefix, the minimum number of digits and the first number of a series."""


def _read(facts: CompanyFacts) -> tuple[dict[str, Any], Series, Series]:
    checked = Checked()
    values: dict[str, Any] = {
        **read_party(checked, facts),
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
    credit_series = checked(
        "first_credit_number", _first_number, facts.first_credit_number.strip() or FIRST_CREDIT_NUMBER
    )
    checked.done()
    return values, series, credit_series
