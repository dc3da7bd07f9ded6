"""Test the test box, which prices sample work under a contract, and trials, which price a year of real work anew.

A trial tells what the work of the last twelve months would have cost under other terms.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from portal import billing
from portal.billing import Offer, TriedTerms, TriedWork, history_of, last_year, price_of, read_offer, tried
from portal.contracts.contracts import Contract
from portal.contracts.rates import Rate, RateFacts
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.tasks import Task, TaskFacts
from portal.database import current, transaction
from portal.durations import Rounding
from portal.errors import Invalid
from portal.people.readers import SYSTEM
from portal.periods import Cycle, Period
from portal.web.gate import Gate
from portal.words import Settlement
from tests.billing.work import OCTOBER, log
from tests.browser import Browser
from tests.world import ACME, ACME_CONTRACT, GLOBEX_HELPDESK, HELPDESK, INES, MAX, NOOR, NOW, SENIOR

pytestmark = pytest.mark.usefixtures("clock")

YEAR = last_year(NOW.date())
MARCH = date(2026, 3, 1)


async def priced(**fields: str) -> billing.Answer:
    """Return the answer of the test box for an hour of a senior consultant, with some fields replaced."""
    work = TriedWork(**{"service": str(HELPDESK), "day": "2026-10-10", "duration": "1h", "role": str(SENIOR)} | fields)
    async with transaction(MAX, readonly=True):
        answer = await price_of(await Contract.find(ACME_CONTRACT, MAX), work, NOW)
    pieces = tuple(replace(piece, reason=piece.reason.replace("\xa0", " ")) for piece in answer.pieces)
    return replace(answer, counting=answer.counting.replace("\xa0", " "), pieces=pieces)


async def worked() -> None:
    """Log and approve 2:30 h in March and 1 h in October at 120.00 an hour, and bill the 2:30 h onto a draft."""
    async with transaction(SYSTEM):
        entries = [await log(90, on=date(2026, 3, 10)), await log(60, on=date(2026, 3, 12)), await log(60, on=OCTOBER)]
    async with transaction(MAX):
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        await billing.run(date(2026, 4, 1), [ACME], by=MAX, at=NOW)


async def on_trial(offer: Offer) -> billing.Trial:
    async with transaction(MAX, readonly=True):
        history = await history_of(ACME, [ACME_CONTRACT], YEAR)
        assert history is not None
        return await tried(history, offer)


# --- The test box


async def test_the_test_box_names_the_price_and_where_it_comes_from() -> None:
    """S3.25, D18: the test box rounds 50 minutes to an hour, and prices it at the role's rate of that day."""
    answer = await priced(duration="50m")
    [piece] = answer.pieces
    assert (answer.amount, answer.counted, piece.minutes) == (Decimal("120.00"), 60, 60)
    assert answer.counting == "50 min count as 1 h (rounded up to 15 min)"
    assert piece.reason == "€120.00 an hour: the rate for Senior consultant from 1 Jan 2026"


async def test_the_test_box_draws_included_hours_first_and_what_is_approved_already_before() -> None:
    """D20, D24: with 1:30 h of 2 included hours used, a further hour draws 0:30 h and costs the overage rate for 0:30 h."""
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        facts = ServiceFacts(name="Care", settlement="subscription", fee="100", included="2h", overage_rate="150")
        care = await Service.create(contract, facts, NOW)
    async with transaction(SYSTEM):
        entry = await log(90, on=OCTOBER, service=care.id)
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
    answer = await priced(service=str(care.id))
    assert [(piece.minutes, piece.amount) for piece in answer.pieces] == [(30, Decimal(0)), (30, Decimal("75.00"))]
    assert [piece.reason for piece in answer.pieces] == [
        "Hours included in the period from 1 Oct 2026 to 31 Oct 2026",
        "€150.00 an hour: the rate of “Care” beyond the prepaid hours",
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"day": "2025-12-31"}, "“Helpdesk” had not begun on 31 Dec 2025."),
    ],
)
async def test_the_test_box_says_why_work_could_not_be_approved(fields: dict[str, str], sentence: str) -> None:
    """D19: for work that could not be approved, the test box gives the reason and no amount."""
    answer = await priced(**fields)
    assert (answer.refusal, answer.pieces) == (sentence, ())


async def test_the_test_box_prices_nobody_in_particular_at_the_first_role_with_a_rate() -> None:
    """D18, D19: without agent and role, work costs what the first role with a rate costs; without any rate, there is no price."""
    answer = await priced(role="")
    assert [piece.amount for piece in answer.pieces] == [Decimal("95.00")]
    async with transaction(SYSTEM) as tx:
        await tx.execute("delete from rate")
    sentence = "There is no rate for somebody without a role under “Helpdesk” on 10 Oct 2026. Add one, then approve."
    assert (await priced(role="")).refusal == sentence


@pytest.mark.parametrize(
    "fields",
    [{"duration": "long"}, {"day": "soon"}, {"service": "x"}, {"service": str(GLOBEX_HELPDESK)}, {"role": "x"}],
)
async def test_the_test_box_says_what_is_wrong_with_a_field(fields: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refusal:
        await priced(**fields)
    assert list(refusal.value.fields) == list(fields)


async def test_the_test_box_knows_the_rates_of_an_agent_and_the_prices_of_hours() -> None:
    """S3.25, D18, D27: Ines costs 130.00 under the service; from 18:00 on an hour costs 150.00 whoever works.

    17:30 to 19:00 is 30 minutes at 130.00, which are 65.00, and an hour at 150.00.
    """
    async with transaction(NOOR):
        await Rate.create(
            RateFacts(hourly_rate="130", currency="EUR", effective_from="2026-01-01", service_id=str(HELPDESK), agent_id=str(INES.id)), NOW
        )  # fmt: skip
        service = await Service.find(HELPDESK, SYSTEM)
        facts = service.facts
        facts.windows = "Mon-Fri 18:00-22:00 at 150"
        await service.change(facts)
    answer = await priced(day="2026-10-09", duration="17:30-19:00", agent=str(INES.id), role="")
    assert [(piece.minutes, piece.amount) for piece in answer.pieces] == [
        (30, Decimal("65.00")),
        (60, Decimal("150.00")),
    ]
    assert answer.pieces[0].reason.startswith("€130.00 an hour: the rate for Acme · Helpdesk · Ines")
    assert answer.pieces[1].reason == "€150.00 an hour: the price of these hours under “Helpdesk”"
    assert "1 h at 150 an hour" in answer.counting


# --- Trials


async def test_a_trial_counts_evenings_by_the_windows_that_are_tried() -> None:
    """D27: a trial prices real work by the windows that are tried, here 90 minutes from 17:30 at 120.00 an hour.

    Without windows they cost 180.00. If the hour from 18:00 on counts twice, they cost 300.00, and if that hour costs
    150.00, they cost 210.00.
    """
    async with transaction(SYSTEM):
        entry = await log(90, on=date(2026, 3, 10))
        await current().execute(
            "update time_entry set started_at = '2026-03-10 16:30Z', ended_at = '2026-03-10 18:00Z', time_zone = 'Europe/Berlin'"
            " where id = $1", entry.id,
        )  # fmt: skip
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
    terms = TriedTerms(settlement="time_spent")
    for windows, cost in (("", "180"), ("Mon-Fri 18:00-22:00 x2", "300"), ("Mon-Fri 18:00-22:00 at 150", "210")):
        terms.windows = windows
        assert (await on_trial(read_offer(terms, 2, zone="Europe/Berlin"))).tried == Decimal(cost)


async def test_a_trial_rolls_unused_hours_over() -> None:
    """D26: of 2:30 h in March, 2 h are included in March, and the other 0:30 h is charged.

    If unused hours roll over, the hours of February pay for the other 0:30 h.
    """
    await worked()
    plan = TriedTerms(settlement="subscription", fee="0", included="2h")
    assert (await on_trial(read_offer(plan, 2))).tried == Decimal("60.00")
    plan.rollover_periods = "1"
    assert (await on_trial(read_offer(plan, 2))).tried == Decimal(0)


async def test_the_year_of_a_trial_is_the_last_twelve_whole_months() -> None:
    assert Period(date(2025, 11, 1), date(2026, 11, 1)) == YEAR
    assert last_year(date(2028, 2, 29)) == Period(date(2027, 2, 1), date(2028, 2, 1))


async def test_a_trial_shows_what_was_really_billed_and_what_is_not_billed_yet() -> None:
    """S3.26, S4.24: a trial covers the ten of the last twelve months in which the contract was in force.

    The real time in these months is worth 420.00: 300.00 are billed and 120.00 are not billed yet.
    """
    await worked()
    trial = await on_trial(Offer(Settlement.TIME_SPENT))
    assert [month.first.month for month in trial.months] == list(range(1, 11))
    assert (trial.real.billed, trial.real.unbilled, trial.real.minutes) == (Decimal("300.00"), Decimal("120.00"), 210)
    assert (trial.tried, trial.difference) == (Decimal("420.00"), Decimal(0))


async def test_a_subscription_is_tried_with_its_fees_and_the_time_beyond() -> None:
    """S3.23: a tried subscription costs 1,060.00: ten fees of 100.00, and 60.00 for half an hour in March.

    The half hour is beyond the 2 included hours of March.
    """
    await worked()
    trial = await on_trial(Offer(Settlement.SUBSCRIPTION, fee=Decimal(100), included_minutes=120))
    assert {month.tried for month in trial.months if month.first != MARCH} == {Decimal("100.00")}
    assert [month.tried for month in trial.months if month.first == MARCH] == [Decimal("160.00")]
    assert (trial.tried, trial.difference) == (Decimal("1060.00"), Decimal("640.00"))


async def test_a_voucher_is_tried_with_a_new_one_whenever_the_last_is_used_up() -> None:
    """S3.22: 3:30 h need two vouchers of 2 h; both are sold in March, when the first is used up."""
    await worked()
    trial = await on_trial(Offer(Settlement.VOUCHER, voucher_minutes=120, price=Decimal(200)))
    assert [month.tried for month in trial.months if month.tried] == [Decimal("400.00")]
    assert trial.tried == Decimal("400.00")


async def test_a_yearly_fee_is_tried_for_the_months_in_force() -> None:
    """S3.23: a tried fee of 365.00 a year costs 304.00 for the 304 days from January to October."""
    await worked()
    offer = Offer(Settlement.SUBSCRIPTION, cycle=Cycle.YEARLY, fee=Decimal(365), included_minutes=6000)
    assert (await on_trial(offer)).tried == Decimal("304.00")


async def test_another_rounding_is_tried_on_the_minutes_that_were_worked() -> None:
    """D4: if time is rounded up to hours, 1:30 h count as 2 h, and the trial costs 480.00 instead of 420.00."""
    await worked()
    trial = await on_trial(Offer(Settlement.TIME_SPENT, rounding=Rounding(0, 60)))
    assert trial.tried == Decimal("480.00")


async def test_time_with_a_fixed_fee_costs_it_under_other_terms_too() -> None:
    """A call-out with a fixed fee of 35.00 costs 35.00 and draws no prepaid hours, whatever terms are tried."""
    async with transaction(SYSTEM) as tx:
        task = await Task.create(await Service.find(HELPDESK, SYSTEM), TaskFacts(name="Call-out", fixed_fee="35"))
        entry = await log(90, on=OCTOBER)
        await tx.execute("update time_entry set task_id = $1 where id = $2", task.id, entry.id)
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
    for offer in (Offer(Settlement.TIME_SPENT), Offer(Settlement.VOUCHER, voucher_minutes=60, price=Decimal(50))):
        trial = await on_trial(offer)
        assert (trial.real.amount, trial.tried) == (Decimal("35.00"), Decimal("35.00"))


async def test_time_without_a_rate_is_counted_beside_the_amount() -> None:
    """D19: entries without a rate cost 0.00 in a trial; the trial shows how many they are."""
    await worked()
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set role_id = null where id = $1", INES.id)
    trial = await on_trial(Offer(Settlement.TIME_SPENT))
    assert (trial.unpriced, trial.tried) == (3, Decimal(0))


async def test_all_services_of_a_contract_share_the_hours_of_a_tried_subscription() -> None:
    """D28: time under two services draws the same included hours of a tried subscription; its fee is charged once."""
    await worked()
    async with transaction(NOOR):
        contract = await Contract.find(ACME_CONTRACT, NOOR)
        onsite = await Service.create(contract, ServiceFacts(name="On site"), NOW)
    async with transaction(SYSTEM):
        entry = await log(60, on=OCTOBER, service=onsite.id)
    async with transaction(MAX):
        await billing.approve([entry.choice], by=MAX, at=NOW)
    trial = await on_trial(Offer(Settlement.SUBSCRIPTION, fee=Decimal(100), included_minutes=120))
    assert trial.months[-1].tried == Decimal("100.00")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"settlement": "gift"}, ["settlement"]),
        ({"fee": "much", "included": "ten"}, ["fee", "included"]),
        ({"settlement": "voucher"}, ["hours", "price"]),
        ({"settlement": "voucher", "hours": "59m", "price": "1"}, ["hours"]),
        ({"fee": "1", "overage_rate": "-1", "rounding_increment": "0"}, ["rounding_increment", "overage_rate"]),
    ],
)
async def test_terms_with_a_mistake_are_refused_field_by_field(fields: dict[str, str], wrong: list[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        read_offer(TriedTerms(**fields), 2)
    assert list(refusal.value.fields) == wrong


# --- Their pages


async def test_the_pages_of_a_contract_show_the_answers_and_keep_what_was_typed(app: Gate) -> None:
    await worked()
    here = f"/agent/contracts/{ACME_CONTRACT}"
    async with await Browser.of(app, MAX, at=NOW) as browser:
        assert "Try other terms" in (await browser.get(here)).text
        price = {"service": "1", "day": "2026-10-10", "duration": "50m", "role": "1"}
        shown = await browser.get(f"{here}/price", params=price)
        assert "€120.00" in shown.text
        wrong = await browser.get(f"{here}/price", params=price | {"duration": "ever"})
        assert (wrong.status_code, 'value="ever"' in wrong.text) == (422, True)
        terms = {"settlement": "subscription", "fee": "100", "included": "2h"}
        outcome = await browser.get(f"{here}/trial", params=terms)
        assert "€640.00 more" in outcome.text
        assert '<svg class="paired-bars"' in outcome.text
        wrong = await browser.get(f"{here}/trial", params=terms | {"fee": "dear"})
        assert (wrong.status_code, 'value="dear"' in wrong.text) == (422, True)
    async with await Browser.of(app, INES, at=NOW) as browser:
        assert "Try other terms" not in (await browser.get(here)).text
