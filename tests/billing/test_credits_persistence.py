"""Test credit notes in the database: what they credit, what can be billed again, and what is refused.

A credit note either frees the credited time, so that the next run bills it again, or writes it off.
"""

import asyncio
import csv
import io
import json
import uuid
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from pypdf import PdfReader

from portal import billing
from portal.billing import Chosen
from portal.database import transaction
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.people.readers import SYSTEM, AgentReader
from tests.billing.test_issuing_persistence import issued, text_of
from tests.billing.test_prepaid_persistence import PLAN, a_voucher, approved
from tests.billing.work import NOVEMBER, a_service, log
from tests.world import ACME, ACME_CONTRACT, ADA, ALAN, GIL, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

EVERYTHING = Chosen(everything=True)


@pytest.fixture
async def owner(dsn: str) -> Any:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def credited(
    invoice: billing.Invoice, chosen: Chosen = EVERYTHING, *, by: AgentReader = MAX, **fields: Any
) -> billing.CreditNote:
    """Issue a credit note for `chosen`, and return the note. With `freed=False`, the credited minutes are written off."""
    return await billing.issue_credit(
        invoice, chosen, **{"reason": "Agreed on the phone.", "freed": True, "by": by, "at": NOW} | fields
    )


async def bill(at: Any = NOW) -> billing.Invoice | None:
    """Run billing for Acme and issue the draft; return the invoice, or None if nothing was due."""
    run = await billing.run(NOVEMBER, [ACME], by=MAX, at=at)
    return await billing.issue(run.draft_ids[0], by=MAX, at=at) if run else None


async def minutes_on(invoice: billing.Invoice) -> list[int | None]:
    return [row.minutes for row in (await billing.contents_of(invoice)).detail]


async def test_crediting_everything_and_billing_again_gives_the_same_invoice() -> None:
    """D38, D40: a credit note for everything names its invoice and credits it to the cent; the next run bills the time again."""
    async with transaction(MAX):
        invoice = await issued(50, 20, 37, hourly_rate=Decimal("99.99"))
        note = await credited(invoice)
        assert (note.number, note.net, note.tax, note.gross) == ("C-0001", invoice.net, invoice.tax, invoice.gross)
        assert note.copied["corrects"]["number"] == invoice.number
        assert [row["number"] for row in await billing.credits_of(invoice)] == ["C-0001"]
        assert (await billing.balance_of(invoice))["open"] == 0
        again = await bill()
        assert again is not None
        assert (again.net, again.tax, again.gross) == (invoice.net, invoice.tax, invoice.gross)
        assert await minutes_on(again) == await minutes_on(invoice)
        assert await bill() is None
        assert await billing.violations() == {}


async def test_written_off_time_is_never_billed_again() -> None:
    """D40: if time is credited and written off, no later run bills it, and its approval cannot be withdrawn."""
    async with transaction(MAX) as tx:
        invoice = await issued(50, 20)
        await credited(invoice, freed=False)
        assert await bill() is None
        assert await tx.fetchval("select count(*) from settled_entry where invoice_id = $1", invoice.id) == 2
        with pytest.raises(Conflict):
            await billing.withdraw(await tx.fetchval("select max(id) from time_entry"), by=MAX, at=NOW)
        assert await billing.violations() == {}


async def test_one_entry_is_credited_and_can_be_changed_then() -> None:
    """D39: once one of two entries is credited, the approval of this entry can be withdrawn, the other approval not."""
    async with transaction(MAX) as tx:
        invoice = await issued(60, 30)
        [first, second] = [row["id"] for row in await tx.fetch("select id from time_entry order by id")]
        note = await credited(invoice, Chosen(minutes={1: 60}))
        assert (note.net, note.tax) == (Decimal("120.00"), Decimal("22.80"))
        await billing.withdraw(first, by=MAX, at=NOW)
        with pytest.raises(Conflict):
            await billing.withdraw(second, by=MAX, at=NOW)
        assert await billing.violations() == {}


async def test_a_line_is_credited() -> None:
    """Crediting the only line of an invoice credits all of its time, so that nothing is left to credit."""
    async with transaction(MAX):
        invoice = await issued(60, 30)
        note = await credited(invoice, Chosen(lines=frozenset({1})))
        assert note.gross == invoice.gross
        with pytest.raises(Invalid):
            await credited(invoice)


async def test_minutes_are_credited_bit_by_bit_to_the_cent() -> None:
    """D39, D41: several credit notes that write off all minutes sum to the net and the tax of the invoice."""
    async with transaction(MAX):
        invoice = await issued(50, hourly_rate=Decimal("99.99"))
        notes = [await credited(invoice, Chosen(minutes={1: minutes}), freed=False) for minutes in (7, 13, 1)]
        assert [note.net for note in notes] == [Decimal("11.67"), Decimal("21.66"), Decimal("1.67")]
        assert await billing.violations() == {}
        notes.append(await credited(invoice, freed=False))
        assert sum(note.net for note in notes) == invoice.net
        assert sum(note.tax for note in notes) == invoice.tax
        assert [note.number for note in notes] == ["C-0001", "C-0002", "C-0003", "C-0004"]
        assert await billing.violations() == {}


async def test_a_credited_entry_that_was_covered_in_part_says_its_charged_minutes() -> None:
    """D22, D38: of 100 minutes 60 were prepaid, and the invoice charges 40; the credit note has these 40 at the same price."""
    async with transaction(MAX):
        care = await a_service(ACME, ACME_CONTRACT, "Care", settlement="voucher", overflow="bill", rollup="none")
        await a_voucher(care, hours="1h", sold_elsewhere="yes")
        await approved(100, service=care)
        invoice = await bill()
        assert invoice is not None
        [charged] = (await billing.contents_of(invoice)).lines
        [line] = (await billing.contents_of_credit(await credited(invoice))).lines
        assert (line.minutes, line.unit_price, line.net) == (charged.minutes, charged.unit_price, charged.net)
        assert (line.minutes, line.net) == (40, Decimal("80.00"))
        assert await billing.violations() == {}


async def test_time_that_cost_nothing_gets_a_line_at_zero() -> None:
    """If an entry at no charge is credited, the credit note has a line of 0.00 for this entry."""
    async with transaction(MAX):
        entries = [await log(60), await log(20, billing="no_charge")]
        await billing.approve([entry.choice for entry in entries], by=MAX, at=NOW)
        invoice = await bill()
        assert invoice is not None
        note = await credited(invoice, Chosen(minutes={2: 20}))
        [line] = (await billing.contents_of_credit(note)).lines
        assert (line.minutes, line.net, note.gross) == (20, 0, 0)
        assert await billing.violations() == {}


async def test_the_files_of_a_credit_note_say_what_it_corrects() -> None:
    """D38, S0.19: a credit note's PDF names the invoice and the reason, and its CSV file sums to the net."""
    async with transaction(MAX):
        invoice = await issued(60, 30)
        note = await credited(invoice, Chosen(minutes={2: 15}), freed=False)
        text = text_of(PdfReader(io.BytesIO(await billing.hand_out("pdf", note))))
        for words in (
            "Credit note C-0001",
            "Corrects invoice 2026-0147 of 20 Nov 2026",
            "Agreed on the phone.",
            "0:15 h",
            "Credited €35.70",
        ):
            assert words in text, words
        rows = list(csv.DictReader(io.StringIO((await billing.hand_out("csv", note)).decode("utf-8-sig"), newline="")))
        assert [(row["Minutes"], row["Amount"]) for row in rows] == [("15", "30.00")]


async def test_the_same_form_again_makes_no_second_note() -> None:
    """A form that is sent twice makes one credit note."""
    async with transaction(MAX):
        invoice, key = await issued(60), uuid.uuid4()
        first = await credited(invoice, Chosen(minutes={1: 15}), freed=False, form_key=key)
        again = await credited(invoice, Chosen(minutes={1: 15}), freed=False, form_key=key)
        assert first.number == again.number


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        (Chosen(), {}), (Chosen(minutes={1: 61}), {}), (Chosen(minutes={9: 1}), {}), (EVERYTHING, {"reason": " "}),
        (EVERYTHING, {"reason": "x" * 501}),
        (Chosen(lines=frozenset({7})), {}), (Chosen(minutes={1: 0}), {}),
    ],
)  # fmt: skip
async def test_bad_input_gets_a_sentence(chosen: Chosen, fields: dict[str, str]) -> None:
    """A credit of nothing, of too much or without a reason is refused, and nothing changes."""
    async with transaction(MAX) as tx:
        invoice = await issued(60)
        with pytest.raises(Invalid):
            await credited(invoice, chosen, **fields)
        assert await tx.fetchval("select count(*) from credit_note") == 0
        assert await billing.violations() == {}


async def test_only_managers_issue_credit_notes_and_only_readers_of_the_invoice_see_them() -> None:
    """R25, R26: Ines, an agent, cannot issue a credit note. Ada, who may see her customer's invoices, sees the note.

    Alan, who may not see invoices, and Gil of another customer do not see the note.
    """
    async with transaction(MAX):
        invoice = await issued(60)
        note = await credited(invoice)
    async with transaction(INES):
        with pytest.raises(Forbidden):
            await credited(invoice, by=INES)
    async with transaction(ADA):
        assert (await billing.CreditNote.find(note.number, ADA)).gross == note.gross
        assert [row["number"] for row in (await billing.list_credit_notes(ADA)).rows] == ["C-0001"]
        assert (await billing.contents_of_credit(note)).lines
        assert await billing.hand_out("pdf", note)
    for reader in (ALAN, GIL):
        async with transaction(reader):
            with pytest.raises(NotFound):
                await billing.CreditNote.find(note.number, reader)
            assert (await billing.list_credit_notes(reader)).rows == []
    async with transaction(GIL) as tx:
        for table in ("credit_note", "credit_line", "credit_vat"):
            assert await tx.fetchval(f"select count(*) from {table}") == 0


@pytest.mark.parametrize(
    "sql",
    [
        "update credit_note set reason = 'x'", "delete from credit_note", "update credit_line set net = 1", "delete from credit_vat",
        "delete from credited_time", "delete from detail_row where credit_note_id is not null",
        "delete from document where credit_note_id is not null",
        "insert into credit_line select customer_id, credit_note_id, 9, invoice_id, line_position, kind, service_name, label, minutes, unit_price,"
        " currency, net, vat_category, vat_rate, exemption_reason from credit_line",
        "update allocation set minutes = 1", "delete from settled_entry", "delete from line_allocation",
    ],
)  # fmt: skip
async def test_a_credit_note_and_what_it_left_settled_never_change(sql: str, owner: Any) -> None:
    """D37: the database refuses, even to the owner of the tables, to change a credit note or time that is still billed."""
    async with transaction(MAX):
        await credited(await issued(60, 30), Chosen(minutes={1: 15}), freed=False)
    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError)):
        await owner.execute(f"begin; select set_config('app.freeing', 'yes', true); {sql}; commit")
    await owner.execute("rollback")


async def test_of_two_people_at_once_nobody_credits_twice() -> None:
    """If two managers credit the same invoice at once, the second finds nothing left to credit."""
    async with transaction(MAX):
        invoice = await issued(60)

    async def one(by: AgentReader) -> str:
        try:
            async with transaction(by):
                await credited(invoice, by=by)
        except Invalid:
            return "refused"
        return "done"

    assert sorted(await asyncio.gather(one(MAX), one(NOOR))) == ["done", "refused"]
    async with transaction(SYSTEM):
        assert await billing.violations() == {}


async def test_freed_minutes_are_a_new_allocation_and_the_entry_stays_locked() -> None:
    """D39: crediting 1 h of 5 h frees exactly that hour, which the next run bills.

    The approval of the entry can be withdrawn only once both invoices are credited.
    """
    async with transaction(MAX) as tx:
        invoice = await issued(300)
        entry_id = await tx.fetchval("select id from time_entry")
        await credited(invoice, Chosen(minutes={1: 60}))
        assert await billing.violations() == {}
        assert [tuple(row) for row in await tx.fetch("select part, minutes, kind from allocation order by part")] == [
            (0, 240, "charged"),
            (1, 60, "charged"),
        ]
        with pytest.raises(Conflict):
            await billing.withdraw(entry_id, by=MAX, at=NOW)
        second = await bill()
        assert second is not None
        assert await minutes_on(second) == [60]
        assert second.net == Decimal(120)
        assert await bill() is None
        assert await billing.violations() == {}
        await credited(second)
        assert await billing.violations() == {}
        await credited(invoice)
        assert await billing.violations() == {}
        await billing.withdraw(entry_id, by=MAX, at=NOW)
        assert await billing.violations() == {}


async def test_minutes_that_are_freed_twice_are_billed_together() -> None:
    """D39: minutes that two credit notes freed are billed together, and are due again if the draft is deleted."""
    async with transaction(MAX) as tx:
        invoice = await issued(300)
        await credited(invoice, Chosen(minutes={1: 60}))
        await credited(invoice, Chosen(minutes={1: 30}), freed=False)
        run = await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert run is not None
        assert await billing.violations() == {}
        await billing.delete_draft(run.draft_ids[0], by=MAX, at=NOW)
        assert await billing.violations() == {}
        await credited(invoice, Chosen(minutes={1: 15}))
        again = await bill()
        assert again is not None
        assert await minutes_on(again) == [75]
        assert await tx.fetchval("select sum(minutes) from allocation") == 300
        assert await billing.violations() == {}
        await credited(invoice)
        last = await bill()
        assert last is not None
        assert await minutes_on(last) == [195]
        assert await billing.violations() == {}


async def test_credited_fees_and_vouchers_are_billed_again() -> None:
    """D40: crediting everything makes fees and an unused voucher due again, and the next run bills the same lines."""
    async with transaction(MAX):
        plan = await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await a_voucher(plan)
        invoice = await bill()
        assert invoice is not None
        note = await credited(invoice)
        assert (note.net, note.gross) == (invoice.net, invoice.gross)
        assert await billing.violations() == {}
        again = await bill()
        assert again is not None
        assert [(line.label, line.net) for line in (await billing.contents_of(again)).lines] == [
            (line.label, line.net) for line in (await billing.contents_of(invoice)).lines
        ]
        assert await billing.violations() == {}


async def test_a_part_of_a_fee_is_credited_and_the_fee_is_not_due_again() -> None:
    """D38: crediting 50.00 of a fee credits the VAT on 50.00 too, and no run bills the fee again.

    A later credit note can credit at most the rest of the fee.
    """
    async with transaction(MAX):
        await a_service(ACME, ACME_CONTRACT, "Care", **PLAN)
        await approved(60)
        invoice = await bill()
        assert invoice is not None
        fee, *_ = [line for line in (await billing.contents_of(invoice)).lines if line.kind == "fee"]
        [time] = [line for line in (await billing.contents_of(invoice)).lines if line.kind == "time"]
        part = await credited(invoice, Chosen(amounts={fee.position: Decimal(50)}))
        assert (part.net, part.gross) == (Decimal(50), Decimal("59.50"))
        assert await bill() is None
        for wrong in ({fee.position: fee.net - 49}, {time.position: Decimal(1)}):
            with pytest.raises(Invalid):
                await credited(invoice, Chosen(amounts=wrong))
        rest = await credited(invoice)
        assert (part.net + rest.net, part.gross + rest.gross) == (invoice.net, invoice.gross)
        assert await billing.violations() == {}


async def test_of_a_voucher_only_the_undrawn_share_is_credited() -> None:
    """If 2:30 h of a voucher of 10 h for 900.00 are drawn, crediting the voucher gives back 675.00 for the other 7:30 h.

    These 7:30 h can then no longer be drawn. Worked out by hand: 7:30 h of 10 h are three quarters, and three quarters
    of 900.00 are 675.00.
    """
    async with transaction(MAX) as tx:
        desk = await a_service(ACME, ACME_CONTRACT, "Hours", settlement="voucher", overflow="bill")
        await a_voucher(desk)
        await approved(150, service=desk)
        invoice = await bill()
        assert invoice is not None
        [line] = [line for line in (await billing.contents_of(invoice)).lines if line.kind == "voucher"]
        note = await credited(invoice, Chosen(lines=frozenset({line.position})))
        assert note.net == Decimal(675)
        assert await billing.violations() == {}
        await approved(60, service=desk)
        assert (
            await tx.fetchval("select string_agg(distinct kind, ',' order by kind) from allocation")
            == "charged,voucher"
        )
        assert await billing.violations() == {}
        with pytest.raises(Invalid):
            await credited(invoice, Chosen(lines=frozenset({line.position})))


async def test_minutes_of_a_voucher_are_credited_and_the_others_can_still_be_drawn() -> None:
    """D38: a voucher has 10 h for 900.00, and 2:30 h are drawn; crediting 2 h gives 2 x 90.00 = 180.00.

    Of the 5:30 h that are left, another hour is drawn. Crediting the remaining 4:30 h gives 4.5 x 90.00 = 405.00.
    Crediting more than is left is refused.
    """
    async with transaction(MAX) as tx:
        desk = await a_service(ACME, ACME_CONTRACT, "Hours", settlement="voucher", overflow="bill")
        voucher = await a_voucher(desk)
        await approved(150, service=desk)
        invoice = await bill()
        assert invoice is not None
        [line] = [line for line in (await billing.contents_of(invoice)).lines if line.kind == "voucher"]
        for wrong in ({line.position: 451}, {line.position + 1: 60}):
            with pytest.raises(Invalid):
                await credited(invoice, Chosen(vouchers=wrong))
        note = await credited(invoice, Chosen(vouchers={line.position: 120}))
        assert (note.net, await tx.fetchval("select credited_minutes from voucher")) == (Decimal(180), 120)
        assert [part.label for part in (await billing.contents_of_credit(note)).lines] == [
            f"2\N{NO-BREAK SPACE}h of {line.label}"
        ]
        [balance] = await billing.balances(ACME, voucher)
        assert balance.left == 330
        await approved(60, service=desk)
        assert await tx.fetchval("select array_agg(distinct kind) from allocation") == ["voucher"]
        note = await credited(invoice, Chosen(lines=frozenset({line.position}), vouchers={line.position: 0}))
        assert (note.net, await tx.fetchval("select credited_minutes from voucher")) == (Decimal(405), 390)
        with pytest.raises(Invalid):
            await credited(invoice, Chosen(vouchers={line.position: 1}))
        assert await billing.violations() == {}
    async with transaction(SYSTEM) as tx:  # The audit log has one change for each credit note.
        logged = await tx.fetch("select changes from audit where what = 'voucher.update' order by id")
        assert [json.loads(row["changes"])["credited_minutes"] for row in logged] == [[0, 120], [120, 390]]


async def test_covered_minutes_go_back_to_their_voucher() -> None:
    """D39: credited minutes that a voucher paid for go back to the voucher, as a negative row of `voucher_move`."""
    async with transaction(MAX) as tx:
        desk = await a_service(ACME, ACME_CONTRACT, "Hours", settlement="voucher", overflow="bill")
        voucher = await a_voucher(desk)
        await approved(90, service=desk)
        invoice = await bill()
        assert invoice is not None
        note = await credited(invoice, Chosen(minutes={1: 30}))
        assert note.gross == 0
        moves = "select array_agg(minutes order by id) from voucher_move where voucher_id = $1"
        assert await tx.fetchval(moves, voucher) == [90, -30]
        assert await billing.violations() == {}
        await billing.run(NOVEMBER, [ACME], by=MAX, at=NOW)
        assert await tx.fetchval(moves, voucher) == [90, -30, 30]
        assert await billing.violations() == {}
        await credited(invoice, freed=False)
        assert await billing.violations() == {}


async def test_nobody_takes_minutes_of_a_voucher_back_without_a_credit_note() -> None:
    """The database refuses to mark minutes of a voucher as credited outside of a credit note."""
    async with transaction(MAX) as tx:
        await a_voucher(await a_service(ACME, ACME_CONTRACT, "Hours", settlement="voucher", overflow="bill"))
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            async with transaction(MAX):
                await tx.execute("update voucher set credited_minutes = 1")
