"""Test that nobody silently undoes a colleague's change in any edit form.

The edit forms are found by visiting every page.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from portal.contracts.contracts import Contract
from portal.contracts.price_list.products import Product, ProductFacts
from portal.contracts.services import Service, ServiceFacts
from portal.contracts.terms import ROLLOVER
from portal.database import transaction
from portal.people.agents import Agent, AgentFacts
from portal.people.departments import Department, DepartmentFacts
from portal.people.readers import SYSTEM, AgentReader
from portal.people.working.hours import WEEKDAYS
from portal.web.gate import Gate
from tests.browser import Browser
from tests.examples import turns
from tests.forms import PageForm, form_of, forms_of
from tests.places import Places, furnished
from tests.world import ACME, ACME_CONTRACT, ADA, MAX, NOOR, NOW, SUPPORT

pytestmark = pytest.mark.usefixtures("clock")

PATHS = (
    "/account/notices",
    "/agent/canned-replies/{canned}",
    "/agent/cases/{number}/appointments/{appointment}",
    "/agent/cases/{number}/assignment",
    "/agent/cases/{number}/facts",
    "/agent/cases/{number}/priority",
    "/agent/cases/{number}/snooze",
    "/agent/cases/{number}/status",
    "/agent/cases/views/{view}",
    "/agent/customers/{customer}/contacts/{contact}",
    "/agent/customers/{customer}/contracts/{contract}",
    "/agent/customers/{customer}/vouchers/{voucher}",
    "/agent/customers/{customer}/contracts/{contract}/services/{service}",
    "/agent/customers/{customer}/default-service",
    "/agent/customers/{customer}/edit",
    "/agent/customers/{customer}/invoice-delivery",
    "/agent/drafts/{draft_id}/note",
    "/agent/help/{article}/edit",
    "/agent/projects/{project}/edit",
    "/agent/setup/agents/{agent}",
    "/agent/setup/case-types/{case_type}",
    "/agent/setup/company",
    "/agent/setup/dispatch/{rule}",
    "/agent/setup/workflow/follow-ups",
    "/agent/setup/workflow/{status}",
    "/agent/setup/general-kinds/{kind}",
    "/agent/setup/products/{product}",
    "/agent/setup/service-templates/{template}",
    "/agent/setup/deadlines/hours",
    "/agent/setup/deadlines/targets",
    "/agent/setup/deadlines/services/{service}",
    "/agent/setup/departments/{department}",
    "/agent/setup/roles/{role}",
    "/agent/setup/billing",
    "/agent/setup/tags/{tag}",
    "/agent/setup/priorities",
    "/agent/setup/fields/{field}",
    "/agent/setup/fields/{field}/choices/{choice}",
    "/agent/cases/{number}/fields",
    "/agent/setup/time",
    "/agent/setup/agents/{agent}/hours",
    "/agent/setup/agents/{agent}/absences/{absence}",
    "/agent/absences/{absence}",
    "/agent/tasks/{task}",
    "/agent/time/{entry}",
    "/agent/time/{entry}/row",
    "/agent/time/week",
    "/agent/timer/{timer}",
)
"""The paths, with placeholders for ids, to which edit forms are posted."""
WITHOUT_A_PAGE_OF_THEIR_OWN = (
    "/agent/cases/views/{view}",
    "/agent/cases/{number}/priority",
    "/agent/cases/{number}/snooze",
    "/agent/cases/{number}/status",
    "/agent/customers/{customer}/default-service",
    "/agent/time/week",
    "/agent/timer/{timer}",
)
"""Edit forms that are part of another page, or that have a field which decides who may open the form again.

Separate tests prove that these forms undo nobody's change.
"""
OF_ONE_PERSON = ("/account/notices", "/agent/absences/{absence}")
"""Edit forms that only one person may open, so that no colleague can change the same values in the meantime."""
CREATING = (
    "/prices",
    "/new",
    "/tasks",
    "/timer",
    "/replies",
    "/roles",
    "/rates",
    "/dispatch",
    "/workflow",
    "/setup/fields",
    "/case-types",
    "/products",
    "/prices",
    "/absences",
    "/cost-rates",
    "/payments",
    "/pictures",
    "/runs",
    "/watchers",
    "/credit",
    "/correction",
    "/lines",
    "/days",
)
"""Last parts of the URLs of forms that create something. Such a form overwrites nothing and needs no `seen` values."""
NO_EDITS = (
    "/account/password", "/account/authenticator", "/approval", "/approvals", "/deletion",
    "/holding", "/issue", "/order", "/pause", "/reading", "/resumption", "/stop",
)  # fmt: skip
"""The last parts of the URLs of forms that change no stored field, although they have prefilled fields.

The prefilled fields are a name for password managers, an encrypted secret, a version number or a sum that is
compared, the id of the record whose page has the button of the timer, or the position of a rule. A change of many
cases compares the value that each case had (tests/desk/test_bulk.py).
"""

PRIORITIES = ("urgent", "high", "normal", "low")
EXAMPLES: dict[str, Callable[[str], str]] = {
    "email": lambda now: f"x{now}",
    "phone": lambda now: now + "1" if now else "+49 40 555 0199",
    "vat_id": lambda now: {"DE100000024": "DE100000032", "DE100000032": "DE100000049"}.get(now, "DE100000024"),
    "iban": lambda now: "DE89370400440532013000" if now != "DE89370400440532013000" else "DE02120300000000202051",
    "bic": lambda now: "COBADEFFXXX" if now != "COBADEFFXXX" else "BYLADEM1001",
    "first_number": lambda now: f"{now[:-1]}{(int(now[-1]) + 1) % 10}",
    "first_credit_number": lambda _: "CN-0012",
    "start_on": lambda now: f"{now[:-2]}{int(now[-2:]) % 20 + 1:02}",
    "effective_start": lambda now: f"{now[:-2]}{int(now[-2:]) % 20 + 1:02}",
    "anchor": lambda now: f"{now[:-2]}{int(now[-2:]) % 20 + 1:02}",
    "time_zone": lambda now: "Europe/Vienna" if now != "Europe/Vienna" else "Europe/Berlin",
    "day": lambda now: f"{now[:-2]}{int(now[-2:]) % 19 + 1:02}",
    "begins": lambda now: "08:15" if now != "08:15" else "08:30",
    "ends": lambda now: "17:15" if now != "17:15" else "17:30",
    "work_date": lambda now: f"{now[:-2]}{int(now[-2:]) % 19 + 1:02}",
    "valid_until": lambda now: f"{int(now[:4]) + 1}{now[4:]}" if now else "2028-01-01",
    "notice_days": lambda now: str(int(now or 0) + 1),
    "renewal_months": lambda now: str(int(now or 0) + 1),
    **dict.fromkeys(("reopen_days", "remind_days", "close_days"), lambda now: str(int(now or 20) + 1)),
    "payment_days": lambda now: str(int(now) + 1),
    "vat_rate": lambda now: str(int(now or 18) + 1),
    "rounding_minimum": lambda now: str(int(now) + 1),
    "rounding_increment": lambda now: str(int(now) + 1),
    "fixed_fee": lambda now: "60" if now.startswith("50") else "50",
    "budget_amount": lambda now: "2000" if now.startswith("1000") else "1000",
    "budget_minutes": lambda now: "50h" if "40" in now else "40h",
    "duration": lambda now: "40m" if "40" not in now else "55m",
    "counts": lambda now: "1h" if "1" not in now else "2h",
    **dict.fromkeys(WEEKDAYS, lambda now: "7h" if now != "7 h" else "6h"),
    "month_day": lambda now: str(int(now) % 28 + 1),
    **{f"hours_{weekday}": lambda now: "8-16" if now != "08:00-16:00" else "8-15" for weekday in WEEKDAYS},
    **{f"reply_{word}": lambda now: "45m" if "45" not in now else "50m" for word in PRIORITIES},
    **{f"solve_{word}": lambda now: "30h" if "30" not in now else "31h" for word in PRIORITIES},
    **{f"goal_{word}": lambda now: "90" if now != "90" else "91" for word in PRIORITIES},
    "own_edit_hours": lambda now: str(int(now) + 1),
    "lock_grace_days": lambda now: str(int(now) + 1),
    "lock_time_zone": lambda now: "Europe/Vienna" if now != "Europe/Vienna" else "Europe/Berlin",
    "locked_through": lambda now: "2026-01-31" if now != "2026-01-31" else "2026-02-28",
    "first_day": lambda now: f"{now[:-2]}{int(now[-2:]) + 1:02}",
    "last_day": lambda now: f"{now[:-2]}{int(now[-2:]) - 1:02}",
    "exemption_reason": lambda now: f"{now} Reverse charge",
    "windows": lambda now: "Sat x2" if now != "Sat x2" else "Sun x2",
    "holidays": lambda now: "2026-12-25" if now != "2026-12-25" else "2026-12-26",
}
"""By field name: a function from the present value to another valid one. Other text fields get a word appended."""
TOGETHER = {
    "taxable": {"exemption_reason": "Reverse charge"},
    "counts": {"override_reason": "agreed by phone"},
    "override_reason": {"counts": "15m"},
    "for_types": {"types": "1"},
    "types": {"for_types": "some"},
    "renewal_months": {"valid_until": "2030-12-31"},
    "holidays": {"windows": "Holidays x2"},
    "calendar_holidays": {"windows": "Holidays x3"},
}
"""By field name: further fields without which a change to this one is refused."""
AVOIDED = ("not_billable",)
"""Options that no test chooses, because another field of the form has no meaning with them."""
PREPAID = (
    "voucher_hours", "voucher_price", "overflow", "overage_rate", "included_from", "fee", "included", "due", *ROLLOVER,
)  # fmt: skip
FIXED = (
    "back",
    "began",
    "currency",
    "effective_from",
    "ended",
    "exemption_reason",
    "first_number",
    "first_credit_number",
    "region",
    "required_to_open",
    "settlement",
    "shared",
    "then",
    *PREPAID,
)
"""Fields that the tests skip, because they cannot be changed alone or are not stored.

Clock times are valid only in pairs. A contract with services keeps its currency, and the first number cannot be changed
once an invoice is issued. A `region` must belong to the country, and only a field that customers see can be
`required_to_open`. `shared` decides who may open the form again. `back` is the URL to return to, `then` is the button
that was pressed, and `effective_from` is the day from which the other fields hold. Not every settlement stores the
fields in `PREPAID`.
"""


@pytest.fixture
async def places(app: Gate) -> Places:
    """Create a row for each placeholder in the paths of the routes, before anybody signs in."""
    return await furnished(app.storage)


@pytest.fixture
async def addresses(places: Places) -> dict[str, str]:
    """Return the URL of each edit form by its path in `PATHS`, with the ids of existing rows.

    Two services, a department and a product are created first.
    """
    async with transaction(SYSTEM):  # so that each choice has a third option
        contract = await Contract.find(ACME_CONTRACT, SYSTEM)
        for name in ("On site", "Remote"):
            await Service.create(contract, ServiceFacts(name=name), NOW)
        await Department.create(DepartmentFacts(name="Sales"))
        await Product.create(ProductFacts(name="Router"))
    return {path: places.address(path) for path in PATHS}


@pytest.fixture
async def bo(dsn: str) -> AgentReader:
    """Create a second admin, Bo, and return Bo as a reader."""
    facts = AgentFacts(
        name="Bo Admin", email="bo@desk.example", grade="admin", department_id=str(SUPPORT), time_zone="Europe/Berlin"
    )
    async with transaction(SYSTEM):
        agent = await Agent.create(facts, NOW)
        credential = (await agent.credential())["id"]
    return AgentReader(agent.id, credential, agent.name, "bo@desk.example", "admin", "en_GB", "Europe/Berlin")


@pytest.fixture
async def noors(app: Gate) -> AsyncIterator[Browser]:
    async with await Browser.of(app, NOOR, at=NOW) as browser:
        yield browser


@pytest.fixture
async def bos(app: Gate, bo: AgentReader) -> AsyncIterator[Browser]:
    async with await Browser.of(app, bo, at=NOW) as browser:
        yield browser


def fields_of(form: PageForm) -> list[str]:
    """Return the names of the fields that a person can change independently of the other fields.

    A field that offers no other valid value is left out, and so are type-ahead fields, which are tested where they are
    used, as in tests/agent/test_dispatch.py.
    """
    typed_beside = {name for name in form.names if name.endswith("_typed") or f"{name}_typed" in form.names}
    names = form.names - {"csrf", "seen", "password", "approves", "approvers", "members", *FIXED} - typed_beside
    return sorted(name for name in names if form.offered.get(name, []) == ["yes"] or _leaves_a_choice(form, name))


def _leaves_a_choice(form: PageForm, name: str) -> bool:
    """Return whether `another` finds a value: for texts and boxes always, for a choice if another option is valid."""
    offered, now = form.offered.get(name, []), form.fields.get(name, [""])[-1]
    return len(offered) < 2 or any(value not in ("", now, *AVOIDED) for value in offered)


def another(form: PageForm, name: str) -> Any:
    """Return a valid value for the field that differs from its present one; None unticks a box."""
    now, offered = form.fields.get(name, [""])[-1], form.offered.get(name, [])
    if offered == ["yes"]:
        return None if now else "yes"
    if len(offered) > 1:
        return next(value for value in offered if value not in ("", now, *AVOIDED))
    return EXAMPLES.get(name, lambda now: f"{now} anew".strip())(now)


def changed(form: PageForm, name: str) -> dict[str, Any]:
    """Return the fields to send, by name: `name` with another value, and the other fields that this value requires."""
    is_a_choice, is_empty = len(form.offered.get(name, [])) > 1, not form.fields.get(name, [""])[-1]
    return {name: another(form, name)} | (TOGETHER.get(name, {}) if is_a_choice or is_empty else {})


async def save(browser: Browser, form: PageForm, typed: dict[str, Any]) -> Any:
    """Send a loaded form with the values `typed` in place of the loaded values, and the CSRF token of `browser`.

    A field whose value in `typed` is None is left out.
    """
    data = {name: value for name, value in {**form.fields, **typed}.items() if value is not None and name != "csrf"}
    return await browser.send_form(form.action, data)


async def test_every_edit_form_says_what_it_showed(app: Gate, places: Places, noors: Browser) -> None:
    """Each form that shows stored values to Noor also sends them in the field `seen`, so that conflicts are noticed.

    `PATHS` lists exactly these forms. The only exceptions are forms that create something, and forms that change no
    stored field.
    """
    found, silent = set[str](), set[str]()
    pages = [route.path_format for route in app.inner.routes if isinstance(route, HTTPRoute) and "GET" in route.methods]
    by_address = {places.address(path): path for path in PATHS}
    for path in pages:
        if not path.startswith(("/agent", "/account")) or path == "/agent/live":
            continue
        for form in forms_of((await noors.get(places.address(path))).text):
            shown = [
                value
                for name, values in form.fields.items()
                if name in form.offered and name != "csrf"
                for value in values
            ]
            if "seen" in form.names:
                found.add(by_address[form.action])
            elif any(shown) and "/" in form.action:
                silent.add(form.action.split("?")[0])
    assert found == set(PATHS)
    assert {form for form in silent if not form.endswith((*CREATING, *NO_EDITS))} == set()
    unneeded = [end for end in (*CREATING, *NO_EDITS) if not any(form.endswith(end) for form in silent)]
    assert not unneeded, f"these except no form any more: {unneeded}"


EDITED = [path for path in PATHS if path not in WITHOUT_A_PAGE_OF_THEIR_OWN + OF_ONE_PERSON]
CHOSEN = turns(EDITED, len(EDITED) // 3)
"""The forms that `./dev test` tries today: a third of all, because the same code compares the fields of every form.

`./dev test --all` tries each form.
"""
EACH = pytest.mark.parametrize(
    "path", [path if path in CHOSEN else pytest.param(path, marks=pytest.mark.long) for path in EDITED]
)


@pytest.mark.slow
@EACH
async def test_two_people_change_different_fields_and_both_hold(
    addresses: dict[str, str], noors: Browser, bos: Browser, path: str
) -> None:
    """If Bo saves one field of a form that Noor has open, and Noor then saves another field, both changes are stored.

    The audit log attributes each change to the person who made it.
    """
    here = addresses[path]

    async def opened() -> PageForm:
        return form_of((await noors.get(here)).text, here)

    form = await opened()
    names = fields_of(form)
    for theirs, mine in zip(names, names[1:] + names[:1], strict=True):
        if theirs == mine:
            continue
        with_theirs, with_mine = changed(form, theirs), changed(form, mine)
        if set(with_theirs) & set(with_mine):
            continue
        assert (await save(bos, form, with_theirs)).status_code == 303, (theirs, with_theirs)
        shown = await opened()
        before = await last_change()
        answer = await save(noors, form, with_mine)
        assert answer.status_code == 303, (theirs, mine, re.findall(r'class="wrong".*?<span>(.*?)</span>', answer.text))
        after = await opened()
        for name in with_theirs:
            assert after.fields.get(name) == shown.fields.get(name), (name, "was undone")
        for name in with_mine:
            assert after.fields.get(name) != form.fields.get(name), (name, "was lost")
        assert theirs not in await changed_by(NOOR, before), "the log blames Noor for what Bo did"
        form = after


async def last_change() -> int:
    async with transaction(SYSTEM) as tx:
        return int(await tx.fetchval("select coalesce(max(id), 0) from audit") or 0)


async def changed_by(who: AgentReader, since: int) -> set[str]:
    """Return the columns that this person changed, as the audit log says in its rows after the id `since`."""
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch(
            "select jsonb_object_keys(changes) as name from audit where id > $1 and credential_id = $2",
            since,
            who.credential_id,
        )
    return {row["name"] for row in rows}


@pytest.mark.slow
@EACH
async def test_two_people_change_the_same_field_and_the_second_sees_both_values(
    addresses: dict[str, str], noors: Browser, bos: Browser, path: str
) -> None:
    """If Bo and Noor change the same field, Noor, who saves second, gets 409 with both values, and Bo's value stays.

    Nothing that Noor typed is lost, and her value is stored if she submits the form again.
    """
    here = addresses[path]

    async def opened() -> PageForm:
        return form_of((await noors.get(here)).text, here)

    now, proved = await opened(), 0
    for name in fields_of(now):
        form = now
        theirs = changed(form, name)
        if form.offered.get(name) == ["yes"] or 1 < len(set(form.offered.get(name, []))) < 3:
            continue  # A field with two options has no third value that differs from both.
        assert (await save(bos, form, theirs)).status_code == 303
        now = stored = await opened()
        mine = changed(stored, name)
        if mine[name] == form.fields.get(name, [""])[-1]:
            continue
        others = {
            one: another(form, one)
            for one in fields_of(form)
            if one in ("description", "order_reference", "street") and one != name
        }
        answer = await save(noors, form, mine | others)
        assert answer.status_code == 409, (name, mine)
        assert "Somebody else changed this in the meantime. It is now" in answer.text, name
        again = form_of(answer.text, here)
        for one, value in (mine | others).items():
            assert again.fields[one] == [value], (one, "was lost")
        assert (await opened()).fields.get(name) == stored.fields.get(name), "a refusal changes nothing"
        assert (await save(noors, again, {})).status_code == 303, name
        now = await opened()
        assert now.fields.get(name) != stored.fields.get(name)
        proved += 1
    assert proved or path.endswith(("{case_type}", "assignment"))


async def test_a_status_that_a_colleague_set_meanwhile_is_not_undone(
    app: Gate, addresses: dict[str, str], noors: Browser, bos: Browser
) -> None:
    here = addresses["/agent/cases/{number}/status"]
    form = form_of((await noors.get(here.removesuffix("/status"))).text, here)
    assert (await save(bos, form, {"status": "waiting_for_others"})).status_code == 303
    answer = await save(noors, form, {"status": "resolved"})
    assert answer.status_code == 409
    assert "The status is Waiting for others now." in answer.text


async def test_a_default_service_that_a_colleague_chose_meanwhile_is_shown(
    app: Gate, addresses: dict[str, str], noors: Browser, bos: Browser
) -> None:
    page = f"/agent/customers/{ACME}"
    here = f"{page}/default-service"
    form = form_of((await noors.get(page)).text, here)
    first, second, third = form.offered["service_id"][1:4]
    assert (await save(bos, form, {"service_id": second, "case_type_id": ""})).status_code == 303
    assert (await save(noors, form, {"service_id": third, "case_type_id": "1"})).status_code == 303, "another type"
    answer = await save(noors, form, {"service_id": third, "case_type_id": ""})
    assert answer.status_code == 409
    assert "It is now “" in answer.text
    assert (await save(noors, form_of(answer.text, here), {})).status_code == 303
    assert form_of((await noors.get(page)).text, here).fields["seen"] != form.fields["seen"]
    assert first != third


async def test_a_right_that_was_taken_away_does_not_come_back(
    app: Gate, addresses: dict[str, str], noors: Browser, bos: Browser
) -> None:
    """A right of Ada that Bo has unticked stays unticked if Noor saves an older form with another change.

    The same holds for the departments whose time Max approves. If Noor changes these in the older form, she gets 409
    and her ticks are kept in the form.
    """
    here = f"/agent/customers/{ACME}/contacts/{ADA.id}"
    form = form_of((await noors.get(here)).text, here)
    assert (await save(bos, form, {"sees_invoices": None})).status_code == 303
    assert (await save(noors, form, {"phone": "+49 40 555 0150"})).status_code == 303
    after = form_of((await noors.get(here)).text, here)
    assert "sees_invoices" not in after.fields
    assert after.fields["phone"] == ["+49 40 555 0150"]

    here = f"/agent/setup/agents/{MAX.id}"
    form = form_of((await noors.get(here)).text, here)
    departments = form.offered["approves"]
    assert (await save(bos, form, {"approves": departments[:2]})).status_code == 303
    assert (await save(noors, form, {"name": "Max H."})).status_code == 303
    assert sorted(form_of((await noors.get(here)).text, here).fields["approves"]) == sorted(departments[:2])
    answer = await save(noors, form, {"approves": departments[2:3]})
    assert answer.status_code == 409
    assert form_of(answer.text, here).fields["approves"] == departments[2:3]


@pytest.mark.parametrize("seen", ["x", "{}", "[]", "null", '{"name": 7}', '{"name": "a", "more": 1}'])
async def test_a_form_that_says_nonsense_about_what_it_showed_is_refused(noors: Browser, seen: str) -> None:
    answer = await noors.send_form("/agent/setup/roles/1", {"name": "Architect", "seen": seen})
    assert answer.status_code == 400
