"""Test custom fields, which admins add to cases (S3.18): who fills in and sees them, their log, search, export and changes."""

import asyncio
import contextvars
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from time import monotonic
from typing import Any

import asyncpg
import pytest

from portal.database import current, transaction
from portal.desk import Case, Details, Question, Status, agents_list
from portal.desk.custom_fields.choices import ChoiceName, FieldChoice, add_choices
from portal.desk.custom_fields.fields import SOME, CaseField, NewField
from portal.desk.custom_fields.offered import offered, read_number
from portal.desk.custom_fields.values import change_values, values_of
from portal.desk.lists.exporting import sheet_of
from portal.desk.verbs.splitting import split
from portal.errors import Conflict, Invalid
from portal.people.readers import SYSTEM
from portal.timekeeping.moving.merging import merge
from tests.desk.test_cases import log, opened, told
from tests.desk.test_search import numbers
from tests.plans import forget_plans
from tests.world import ADA, ALAN, INES, NOOR, NOW, QUESTION

pytestmark = pytest.mark.usefixtures("dsn")

SITE = "Site\nHamburg\nBerlin"


async def made(name: str, kind: str = "text", *, hidden: bool = False, choices: str = "", **facts: Any) -> CaseField:
    """Create a custom field of cases as Noor, set its other `facts`, and return it."""
    async with transaction(NOOR):
        field = await CaseField.create(
            NewField(name=name, kind=kind, choices=choices, for_contacts="no" if hidden else "yes")
        )
        if facts:
            values = field.facts
            for key, value in facts.items():
                setattr(values, key, value)
            await field.change(values)
        return await CaseField.find(field.id)


async def filled(case: Case, values: Mapping[int, Any], by: Any = INES) -> None:
    async with transaction(by):
        fields = await offered(by, case_id=case.id, case_type_id=case.case_type_id)
        await change_values(case, fields, values, by=by, at=NOW)


async def hide(field: CaseField, for_contacts: str = "no") -> None:
    """Hide a field from customers or, if `for_contacts` is "yes", show it to them."""
    async with transaction(NOOR):
        found = await CaseField.find(field.id, hold=True)
        facts = found.facts
        facts.for_contacts = for_contacts
        await found.change(facts)


async def shown(case: Case, reader: Any) -> dict[str, Any]:
    async with transaction(reader):
        return {one.name: one.value for one in (await Details.find(case.number, reader)).own}


async def listed(query: str) -> list[int]:
    pairs = [tuple(pair.split("=")) for pair in query.split("&")]
    async with transaction(INES):
        found = await agents_list(INES, Question.read([("view", "all"), *pairs]))  # type: ignore[list-item]
    return sorted(row.number for row in found.rows)


async def test_a_contact_fills_in_shown_fields_and_sees_no_hidden_one() -> None:
    """S3.18: Ada fills in the fields that she sees, and numbers keep all decimals.

    She can neither read nor fill in a hidden field. The database too hides that field and its values from her, and
    does not let her store a value of that field, nor a value of any field on Alan's case.
    """
    serial, hours = await made("Serial number"), await made("Power draw", "number")
    secret, since = await made("Warranty until", "date", hidden=True), await made("Bought on", "date")
    case = await opened(
        ADA, own={serial.id: " SN  9 ", hours.id: "1,234.567890", secret.id: "2027-01-01", since.id: ""}
    )
    assert await shown(case, ADA) == {"Serial number": "SN 9", "Power draw": Decimal("1234.567890")}
    await filled(case, {secret.id: date(2027, 1, 31)})
    everything = await shown(case, INES)
    assert everything == {
        "Serial number": "SN 9", "Power draw": Decimal("1234.567890"), "Warranty until": date(2027, 1, 31), "Bought on": None,
    }  # fmt: skip
    async with transaction(ADA) as tx:
        assert len(await tx.fetch("select * from case_field_value")) == 2
        assert len(await tx.fetch("select * from case_field")) == 3
    for field, of in ((secret, case), (since, await opened(ALAN))):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with transaction(ADA) as tx:
                await tx.execute(
                    "insert into case_field_value (case_id, customer_id, field_id, kind, day) values ($1, 1, $2, 'date', $3)",
                    of.id, field.id, NOW.date(),
                )  # fmt: skip


async def test_what_is_required_and_what_is_wrong_is_said_at_each_field() -> None:
    serial = await made("Serial number", required_to_open="yes")
    power, site = await made("Power draw", "number"), await made("Site", "choice", choices="Hamburg\nBerlin")
    phone = await made("Phone", for_types=SOME, types=[str(QUESTION)], required_to_open="yes")
    with pytest.raises(Invalid) as refused:
        await opened(ADA, own={serial.id: "", power.id: "1e5", site.id: "99", phone.id: ""}, subject="")
    assert refused.value.fields.keys() == {"subject", f"field_{serial.id}", f"field_{power.id}", f"field_{site.id}"}
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from cases") == 0
    await opened(INES, contact_id=ADA.id, own={})
    with pytest.raises(Invalid, match="Phone"):
        await opened(ADA, own={serial.id: "1"}, case_type_id=QUESTION)


async def test_numbers_are_read_as_the_reader_writes_them() -> None:
    for text, locale, number in [
        ("1,234.5", "en_GB", "1234.5"), ("1.234,5", "de_DE", "1234.5"), ("1 234,50", "fr_FR", "1234.50"), ("1’234.5", "de_CH", "1234.5"),
        ("-0.000001", "en_GB", "-0.000001"), ("\u22123", "en_GB", "-3"), ("1.", "en_GB", "1"),
    ]:  # fmt: skip
        assert read_number(text, locale) == Decimal(number)
    for text in ("1,5", "NaN", "1e9", "0.0000001", "1000000000000000", "9" * 100, "1.2.3", "\u0663", "one"):
        with pytest.raises(ValueError, match=r"number|decimals"):
            read_number(text, "en_GB")


async def test_each_change_has_a_line_and_hidden_ones_reach_no_contact() -> None:
    """Each changed field has a line in the log of the case. Contacts do not learn that a hidden field was changed.

    A repeated change writes nothing.
    """
    site = await made("Site", "choice", choices="Hamburg\nBerlin")
    secret = await made("Warranty", hidden=True)
    case = await opened(ADA)
    async with transaction(INES):
        berlin = (await FieldChoice.listed(site.id))[1].id
    before = len(await told(case))
    await filled(case, {secret.id: "expired"})
    assert (await told(case))[before:] == [("case.changed_internally", False)]
    await filled(case, {secret.id: "expired"})
    await filled(case, {site.id: berlin, secret.id: None})
    assert (await told(case))[before + 1 :] == [("case.changed", True)]
    lines = [(kind, details["field"], details["to"]) for kind, _, details in await log(case) if kind == "field"]
    assert lines == [("field", "Warranty", "expired"), ("field", "Site", "Berlin"), ("field", "Warranty", None)]
    async with transaction(ADA) as tx:
        assert await tx.fetchval("select count(*) from case_event where kind = 'field'") == 1


async def test_search_and_filters_find_values_and_no_contact_finds_a_hidden_one() -> None:
    serial, secret = await made("Serial number"), await made("Warranty", hidden=True)
    site, power = await made("Site", "choice", choices="Hamburg\nBerlin"), await made("Power", "number")
    bought = await made("Bought on", "date")
    case, other = await opened(ADA), await opened(ADA)
    async with transaction(INES):
        hamburg, berlin = [one.id for one in await FieldChoice.listed(site.id)]
    await filled(case, {serial.id: "XK-4711", secret.id: "goodwill", site.id: berlin, power.id: Decimal("12.5"),
                        bought.id: date(2026, 3, 1)})  # fmt: skip
    await filled(other, {site.id: hamburg})
    assert await numbers("xk-4711") == await numbers("berlin") == await numbers("goodwill") == [case.number]
    assert await numbers("xk-4711", ADA) == [case.number]
    assert await numbers("goodwill", ADA) == []
    await hide(serial)
    async with transaction(NOOR):
        await (await FieldChoice.find(site.id, berlin)).rename(ChoiceName(name="Potsdam"))
    assert await numbers("xk-4711", ADA) == [], "hidden since"
    assert await numbers("potsdam", ADA) == [case.number]
    for query, found in {
        f"field_{site.id}={berlin}": [case], f"field_{site.id}={berlin}&field_{site.id}={hamburg}": [case, other],
        f"field_{serial.id}=k-47": [case], f"field_{power.id}_from=12.5": [case], f"field_{power.id}_to=12.4": [],
        f"field_{bought.id}_from=2026-02-01&field_{bought.id}_to=2026-03-01": [case], f"field_{power.id}_from=x": [], "field_9=1": [],
        "field_x=1": [case, other],
    }.items():  # fmt: skip
        assert await listed(query) == [one.number for one in found], query
    question = Question.read([(f"field_{serial.id}", "k-47"), (f"field_{power.id}_from", "12")])
    assert Question.read([tuple(p.split("=")) for p in question.address()[1:].split("&")]) == question  # type: ignore[misc]
    async with transaction(INES):
        sheet = await sheet_of(INES, question)
    names = [column.name for column in sheet.columns]
    (row,) = sheet.rows
    assert dict(zip(names, row, strict=True)) | {
        "Serial number": "XK-4711", "Warranty": "goodwill", "Site": "Potsdam", "Power": Decimal("12.5"), "Bought on": date(2026, 3, 1),
    } == dict(zip(names, row, strict=True))  # fmt: skip


async def test_a_merge_keeps_the_targets_values_and_takes_over_what_it_lacks() -> None:
    serial, secret = await made("Serial number"), await made("Warranty", hidden=True)
    target, source = await opened(ADA, own={serial.id: "A"}), await opened(ADA, own={serial.id: "B"})
    await filled(source, {secret.id: "expired"})
    async with transaction(INES):
        await merge([target.number, source.number], target.number, by=INES, at=NOW)
        assert await values_of(target.id) == {serial.id: "A", secret.id: "expired"}
    lines = {
        kind: (details["field"], details["to"]) for kind, _, details in await log(target) if kind.startswith("field")
    }
    assert lines == {"field_left": ("Serial number", "B"), "field_taken": ("Warranty", "expired")}
    with pytest.raises(Conflict, match="is now part of"):
        await filled(source, {serial.id: "C"})


async def test_a_split_gives_the_new_case_the_same_values() -> None:
    serial = await made("Serial number")
    case = await opened(ADA, own={serial.id: "A"})
    async with transaction(ADA):
        await case.reply(by=ADA, text="Another thing.", at=NOW)
    async with transaction(INES):
        last = await current().fetchval("select max(id) from message where case_id = $1", case.id)
        new = await split(case, [last], "Another thing", by=INES, at=NOW)
        assert await values_of(new.id) == {serial.id: "A"}


async def test_a_case_is_not_resolved_without_what_that_requires() -> None:
    serial = await made("Serial number", required_to_resolve="yes")
    case = await opened(ADA)
    for act in (
        lambda: case.change_status(Status.RESOLVED, by=INES, at=NOW),
        lambda: case.reply(by=INES, text="Done.", at=NOW, then=Status.RESOLVED),
    ):
        with pytest.raises(Invalid, match="Fill in “Serial number” first"):
            async with transaction(INES):
                await act()
    async with transaction(ADA):
        await (await Case.find(case.number, ADA)).close(by=ADA, at=NOW)
    other = await opened(ADA, own={serial.id: "A"})
    async with transaction(INES):
        await other.change_status(Status.RESOLVED, by=INES, at=NOW)


async def test_a_field_and_a_choice_in_use_stay_and_what_is_unused_goes() -> None:
    """The kind of a field in use cannot be changed, not even by SQL; a case keeps a choice that is no longer offered.

    Fields and choices in use cannot be deleted, unused ones can.
    """
    site, empty = await made("Site", "choice", choices="Hamburg\nBerlin"), await made("Unused", "number")
    case = await opened(ADA)
    async with transaction(INES):
        hamburg, berlin = await FieldChoice.listed(site.id)
    await filled(case, {site.id: berlin.id})
    async with transaction(NOOR):
        field = await CaseField.find(site.id, hold=True)
        facts = field.facts
        facts.kind = "text"
        with pytest.raises(Invalid, match="values of this kind"):
            await field.change(facts)
        with pytest.raises(Conflict, match="Stop offering it instead"):
            await field.discard()
        with pytest.raises(Conflict, match="Stop offering it instead"):
            await berlin.discard()
        await hamburg.discard()
        await (await CaseField.find(empty.id, hold=True)).discard()
        await berlin.end(NOW)
        await field.end(NOW)
        with pytest.raises(Invalid, match="already"):
            await add_choices(site.id, ["BERLIN"])
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with transaction(SYSTEM) as tx:
            await tx.execute("update case_field set kind = 'text' where id = $1", site.id)
    assert await shown(case, INES) == {"Site": "Berlin"}
    async with transaction(INES):
        assert [one.choices for one in await offered(INES, case_id=case.id)] == [((berlin.id, "Berlin"),)]
        assert await offered(INES) == []


async def test_two_agents_who_fill_in_the_same_field_wait_for_each_other() -> None:
    serial = await made("Serial number")
    case = await opened(ADA)
    both = [asyncio.create_task(filled(case, {serial.id: text}), context=contextvars.Context()) for text in ("A", "B")]
    await asyncio.gather(*both)
    async with transaction(INES):
        assert (await values_of(case.id))[serial.id] in ("A", "B")
    assert [kind for kind, _, _ in await log(case)].count("field") == 2


async def test_what_is_deleted_while_somebody_fills_it_in_is_said_in_a_sentence() -> None:
    """S3.18: if a field or a choice is deleted after an agent has loaded the form, the value for it is refused."""
    site, serial = await made("Site", "choice", choices="Hamburg\nBerlin"), await made("Serial number")
    case = await opened(ADA)
    async with transaction(INES):
        fields = await offered(INES)
        hamburg, berlin = await FieldChoice.listed(site.id)
    async with transaction(NOOR):
        await berlin.discard()
        await (await CaseField.find(serial.id, hold=True)).discard()
    for values in ({site.id: berlin.id}, {serial.id: "SN-1"}):
        with pytest.raises(Invalid, match="was deleted in the meantime"):
            async with transaction(INES):
                await change_values(case, fields, values, by=INES, at=NOW)
    await filled(case, {site.id: hamburg.id})
    assert await shown(case, INES) == {"Site": "Hamburg"}


async def test_a_field_with_ten_thousand_values_is_renamed_hidden_filtered_and_kept() -> None:
    """S3.18: hiding a field that 10,000 cases have, and renaming the field and its choice, takes less than 30 seconds.

    Contacts then no longer find cases by the field, but agents still see it and filter by it. Neither the field nor its
    choice can be deleted.
    """
    site = await made("Site", "choice", choices="Hamburg\nBerlin")
    case = await opened(ADA)
    await forget_plans()
    async with transaction(SYSTEM) as tx:
        await tx.execute(
            "insert into cases (id, customer_id, contact_id, subject, case_type_id, priority, status, opened_at, updated_at)"
            " select 20000 + n, 1, 1, 'Case ' || n, 1, 1, 'new', $1, $1 from generate_series(1, 9999) n",
            NOW,
        )
        await tx.execute(
            "create temporary table chosen on commit drop as select id, row_number() over () / 1000 as part from cases"
        )
        for part in range(
            11
        ):  # One statement for all values may take a plan that reads all search words for each of them.
            await tx.execute(
                "insert into case_field_value (case_id, customer_id, field_id, kind, choice_id)"
                " select id, 1, $1, 'choice', (select min(id) from case_field_choice) from chosen where part = $2",
                site.id,
                part,
            )
    assert len(await numbers("hamburg", ADA)) == 25
    started = monotonic()
    await hide(site)
    async with transaction(NOOR):
        choice = (await FieldChoice.listed(site.id))[0]
        await choice.rename(ChoiceName(name="Kiel"))
        field = await CaseField.find(site.id, hold=True)
        facts = field.facts
        facts.name = "Building"
        await field.change(facts)
    assert monotonic() - started < 30
    for discarded in (choice, field):
        with pytest.raises(Conflict, match="Stop offering it instead"):
            async with transaction(NOOR):
                await discarded.discard()
    assert await numbers("kiel", ADA) == []
    async with transaction(INES):
        found = await agents_list(INES, Question.read([("view", "all"), (f"field_{site.id}", str(choice.id))]))
    assert found.total_words == "more than 1,000"
    assert await shown(case, INES) == {"Building": "Kiel"}
