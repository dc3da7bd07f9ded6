"""Represent the place of a figure (its customer, contract, service and so on), and add up figures by place."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Protocol, Self, TypeVar

from portal.exports import Cell, Column
from portal.words import Settlement


class By(StrEnum):
    """A grouping of a list of figures: each row sums up a customer, a contract, a service and so on."""

    CUSTOMER = "customer"
    CONTRACT = "contract"
    SERVICE = "service"
    SETTLEMENT = "settlement"
    MONTH = "month"

    @property
    def word(self) -> str:
        """Return the text that people read, such as `Customer`."""
        return self.value.capitalize()


@dataclass(frozen=True, slots=True)
class Place:
    """The customer, contract, service, settlement and month to which a figure in `currency` belongs.

    A field is None or "" if the figure covers several of its kind, as the figure of a customer covers several services,
    or none, as for time without a service. `month` is the first day of the month.
    """

    currency: str
    customer_id: int | None = None
    customer: str = ""
    contract_id: int | None = None
    contract: str = ""
    service_id: int | None = None
    service: str = ""
    settlement: Settlement | None = None
    month: date | None = None

    def within(self, by: By) -> "Place":
        """Return the place of the row to which this place belongs in a list grouped by `by`.

        The place of a row has no fields that can differ within the row. For example, the service and the contract of
        the row are empty if `by` is `By.CUSTOMER`.
        """
        match by:
            case By.CUSTOMER:
                return Place(self.currency, self.customer_id, self.customer)
            case By.CONTRACT:
                return Place(self.currency, self.customer_id, self.customer, self.contract_id, self.contract)
            case By.SERVICE:
                return replace(self, month=None)
            case By.SETTLEMENT:
                return Place(self.currency, settlement=self.settlement)
            case By.MONTH:
                return Place(self.currency, month=self.month)


class Added(Protocol):
    """Figures that can be added to figures of the same class."""

    def __add__(self, other: Self, /) -> Self: ...


T = TypeVar("T", bound=Added)


def grouped(figures: Iterable[tuple[Place, T]], by: By) -> dict[Place, T]:
    """Add up the figures that belong to the same row of a list grouped by `by`. Return the sums by the row's place."""
    sums: dict[Place, T] = {}
    for place, figure in figures:
        row = place.within(by)
        sums[row] = sums[row] + figure if row in sums else figure
    return sums


def by_currency(figures: Iterable[tuple[Place, T]]) -> dict[str, T]:
    """Add up all figures in each currency, and return the sums by currency, sorted.

    Amounts in different currencies are never added up.
    """
    sums: dict[str, T] = {}
    for place, figure in figures:
        sums[place.currency] = sums[place.currency] + figure if place.currency in sums else figure
    return dict(sorted(sums.items()))


PLACE = (
    Column("Customer"),
    Column("Contract"),
    Column("Service"),
    Column("Settlement"),
    Column("Month"),
    Column("Currency"),
)
"""The first columns of the file of a list of figures."""


def cells(place: Place) -> tuple[Cell, ...]:
    """Return the cells of a place for the columns `PLACE`."""
    settlement = place.settlement.word if place.settlement else ""
    month = place.month.strftime("%Y-%m") if place.month else ""
    return place.customer, place.contract, place.service, settlement, month, place.currency
