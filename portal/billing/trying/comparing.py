"""Compare what the time of a customer would have cost under each template of services."""

from dataclasses import dataclass

from portal.billing.allocating import book
from portal.billing.trying.history import History, history_of
from portal.billing.trying.offers import Offer, TriedTerms, read_offer
from portal.billing.trying.trial import Trial, tried
from portal.contracts.price_list.templates import ServiceTemplate
from portal.durations import RoundingMode
from portal.errors import Invalid
from portal.periods import Cycle, Period
from portal.words import Settlement


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the time of a customer would have cost under each template in one currency, the cheapest first."""

    history: History
    trials: tuple[tuple[ServiceTemplate, Trial], ...]
    left_out: tuple[ServiceTemplate, ...]
    """The templates that cannot be tried (see `offer_of`), for example vouchers without hours or without a price."""


async def compare(customer_id: int, year: Period) -> list[Comparison]:
    """Return a comparison for each currency in which the customer had a contract in the days of `year`.

    The history of a currency is read once, whatever the number of templates. Nothing is stored.
    """
    found = []
    contracts = await book.load_terms(customer_id)
    for currency in sorted({currency for _, currency in contracts}):
        ids = [int(terms.id) for terms, of in contracts if of == currency]
        history = await history_of(customer_id, ids, year)
        if history is not None:
            found.append(await _compared(history))
    return found


async def _compared(history: History) -> Comparison:
    trials, left_out = [], []
    for template in await ServiceTemplate.offered(history.currency):
        offer = offer_of(template, history)
        if offer is None:
            left_out.append(template)
        else:
            trials.append((template, await tried(history, offer)))
    return Comparison(history, tuple(sorted(trials, key=lambda pair: pair[1].tried)), tuple(left_out))


def offer_of(template: ServiceTemplate, history: History) -> Offer | None:
    """Return the terms of a template as an offer, or None if the template cannot be tried on `history`.

    A template cannot be tried if it is paid by vouchers and has no hours or no price for them, or if one of its fields
    is no longer valid.
    """
    facts = template.facts
    terms = TriedTerms(
        settlement=facts.settlement, cycle=Cycle(template.cycle).value, fee=facts.fee, included=facts.included,
        hours=facts.voucher_hours, price=facts.voucher_price, overage_rate=facts.overage_rate,
        rounding_increment=facts.rounding_increment, rounding_minimum=facts.rounding_minimum,
        rounding_mode=RoundingMode(facts.rounding_mode).value, windows=facts.windows, holidays=facts.holidays,
        calendar_holidays="yes" if facts.calendar_holidays else "", rollover_periods=facts.rollover_periods, rollover_cap=facts.rollover_cap,
    )  # fmt: skip
    if facts.settlement == Settlement.VOUCHER and not (facts.voucher_hours and facts.voucher_price):
        return None
    try:
        return read_offer(terms, history.digits, zone=history.zone, days_off=history.days_off)
    except Invalid:  # A field was valid when the template was stored, and no longer is.
        return None
