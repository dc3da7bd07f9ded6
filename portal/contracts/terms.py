"""Read the terms of a service from its form: the columns that its settlement needs."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

from portal.durations import parse_duration, spoken
from portal.fields import Checked, day, identifier, one_of, optional, whole
from portal.money import parse_money
from portal.schedules.windows import holidays, windows
from portal.words import Due, Overflow, Settlement

LONGEST = 100_000 * 60
"""The maximum number of prepaid minutes: of a voucher, and of one period of a subscription (100,000 hours)."""
TOO_LONG = "Prepaid time is at most 100,000 h."
MOST_PERIODS = 60
"""The maximum number of periods for which unused included hours can roll over."""
LARGEST_RATE = Decimal("99999999.9999")
"""The maximum hourly rate that a `numeric(12,4)` column holds."""

ROLLOVER = ("rollover_periods", "rollover_cap", "rollover_from")
"""The columns of a service that say how unused included hours roll over into later periods (D26)."""
TERMS: dict[str, tuple[str, ...]] = {
    Settlement.TIME_SPENT: (),
    Settlement.VOUCHER: ("overflow", "overage_rate", "included_from_id"),
    Settlement.SUBSCRIPTION: (
        "overflow",
        "overage_rate",
        "included_from_id",
        "fee",
        "included_minutes",
        "due",
        *ROLLOVER,
    ),
}
"""The columns of a service that each settlement needs; the others are null."""
PRICES: dict[str, tuple[str, ...]] = {
    Settlement.TIME_SPENT: (),
    Settlement.VOUCHER: ("overage_rate",),
    Settlement.SUBSCRIPTION: ("fee", "included_minutes", "overage_rate"),
}
"""The columns of `TERMS` that can change from a date, by settlement."""


def terms_of(checked: Checked, facts: Any, digits: int) -> dict[str, Any]:
    """Return the values of all columns in `TERMS`, by name, from the fields of a service's form.

    `digits` is the number of decimals of the contract's currency. A field that the settlement does not need is not
    read, because the form hides it; the column of that field becomes None. Errors are recorded in `checked`.
    """
    readers = _price_readers(digits) | {
        "overflow": ("overflow", one_of(tuple(Overflow))),
        "included_from_id": ("included_from", optional(identifier)),
        "due": ("due", one_of(tuple(Due))),
        "rollover_periods": ("rollover_periods", optional(whole(1, MOST_PERIODS, "periods"))),
        "rollover_cap": ("rollover_cap", optional(lambda text: parse_duration(text, most=LONGEST, too_long=TOO_LONG))),
        "rollover_from": ("rollover_from", optional(day)),
    }
    return _read(checked, facts, readers, TERMS.get(facts.settlement, ()))


def typed_terms(service: Any) -> dict[str, str]:
    """Return the stored values of the columns in `TERMS` as form fields, to fill in the form of a service."""
    return {
        "overflow": service.overflow or Overflow.BILL.value,
        "overage_rate": _plain(service.overage_rate),
        "fee": _plain(service.fee),
        "included": spoken(service.included_minutes) if service.included_minutes else "",
        "due": service.due or Due.ADVANCE.value,
        "included_from": str(service.included_from_id or ""),
        "rollover_periods": str(service.rollover_periods or ""),
        "rollover_cap": "" if service.rollover_cap is None else spoken(service.rollover_cap),
        "rollover_from": service.rollover_from.isoformat() if service.rollover_from else "",
    }


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"


def check_rollover(checked: Checked, values: Mapping[str, Any]) -> None:
    """Record an error in `checked` if a rollover has a limit or a first day, but no number of periods."""
    for column in ("rollover_cap", "rollover_from"):
        if values[column] is not None and values["rollover_periods"] is None:
            checked.refuse(column, "Say for how many periods unused hours roll over, or leave this empty.")


def prices_of(checked: Checked, facts: Any, settlement: Settlement, digits: int) -> dict[str, Any]:
    """Return the values of all columns in `PRICES`, by name, from the fields of a form for prices.

    Columns that are not in `PRICES[settlement]` become None. `digits` is the number of decimals of the contract's
    currency. Errors are recorded in `checked`.
    """
    return _read(checked, facts, _price_readers(digits), PRICES[settlement])


Readers = Mapping[str, tuple[str, Callable[[str], Any]]]
"""For each column, the name of its form field and the function that reads the field."""


def _price_readers(digits: int) -> dict[str, tuple[str, Callable[[str], Any]]]:
    return {
        "overage_rate": ("overage_rate", optional(lambda text: parse_money(text, 4, largest=LARGEST_RATE))),
        "fee": ("fee", lambda text: parse_money(text, digits)),
        "included_minutes": ("included", prepaid),
    }


def _read(checked: Checked, facts: Any, readers: Readers, taken: Collection[str]) -> dict[str, Any]:
    return {
        column: checked(field, read, getattr(facts, field)) if column in taken else None
        for column, (field, read) in readers.items()
    }


def factors_of(checked: Checked, facts: Any) -> dict[str, Any]:
    """Return the columns `windows`, `holidays` and `calendar_holidays` from the fields of a service's form (D27).

    Without windows, `holidays` is None and `calendar_holidays` False, because only windows refer to holidays. Errors
    are recorded in `checked`.
    """
    lines = checked("windows", windows, facts.windows) or None
    days = checked("holidays", holidays, facts.holidays) or None
    uses_calendar = bool(lines) and facts.calendar_holidays
    return {"windows": lines, "holidays": days if lines else None, "calendar_holidays": uses_calendar}


def prepaid(text: str) -> int:
    """Return, in minutes, the prepaid hours in `text`, such as `10h`; 0 for an empty field or `0`.

    Raise `ValueError` for other text.
    """
    if not text.strip("0hm :"):
        return 0
    return parse_duration(text, most=LONGEST, too_long=TOO_LONG)


def of_voucher(text: str) -> int:
    """Return, in minutes, the hours in `text`: the hours of a voucher that is sold, or of an offer or a template.

    Raise `ValueError` for an empty field. Raise it also for less than 1 h, because trying an offer on the time of a
    year would need too many such small vouchers.
    """
    if not text.strip():
        raise ValueError("Write how many hours the voucher has, such as 10h.")
    if (minutes := prepaid(text)) < 60:
        raise ValueError("A voucher that is sold has at least 1 h.")
    return minutes
