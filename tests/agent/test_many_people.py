"""Test the forms that choose an agent or a contact where there are too many for a list: the name is typed instead."""

import re
from datetime import timedelta
from typing import Any

import pytest

from portal.contracts.projects import Project, ProjectFacts
from portal.database import transaction
from portal.desk import Case
from portal.desk.verbs.sharing import watchers_of
from portal.people.customers import Customer
from portal.people.offered import SELECTABLE
from portal.people.readers import SYSTEM
from portal.render.formats import some
from portal.web.gate import Gate
from portal.web.visit import now
from tests.agent.test_cases import open_case
from tests.browser import Browser
from tests.forms import form_of
from tests.world import ACME, ADA, ALAN, GLOBEX, HELPDESK, INES, MAX, NOOR, NOW, SUPPORT


async def add(agents: int = 0, contacts: int = 0, name: str = "") -> None:
    """Add agents called Colleague 1, 2, 3 … and contacts of Acme called Contact 1, 2, 3 …, and Zoe Gil of Globex.

    If `name` is given, all these people except Zoe Gil have this name. Every contact without a credential gets one.
    """
    more = "insert into {} select {}, 'en_GB', 'Europe/Berlin', now() from generate_series(1, $1) n"
    people = (
        "contact (customer_id, name, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at)"
    )
    called = f"'{name}'" if name else "'{} ' || n"
    async with transaction(SYSTEM) as tx:
        colleagues = "agent (name, grade, role_id, department_id, locale, time_zone, created_at)"
        await tx.execute(more.format(colleagues, called.format("Colleague") + ", 'agent', 1, 1"), agents)
        await tx.execute(more.format(people, f"{ACME}, {called.format('Contact')}, false, false, false"), contacts)
        await tx.execute(more.format(people, f"{GLOBEX}, 'Zoe Gil', false, false, false"), 1)
        await tx.execute(
            "insert into credential (email, customer_id, contact_id, created_at)"
            " select 'contact' || id || '@example.org', customer_id, id, now() from contact x"
            " where not exists (select from credential c where c.contact_id = x.id)"
        )


async def fill(table: str, where: str = "true") -> int:
    """Return how many people to add to `table` so that it has the largest number that a select field still lists.

    Only people who have not left and who match the SQL condition `where` are counted.
    """
    async with transaction(SYSTEM) as tx:
        return SELECTABLE - int(await tx.fetchval(f"select count(*) from {table} where ended_at is null and {where}"))


@pytest.fixture
async def crowd(dsn: str) -> None:
    """Add more agents and more contacts of Acme than a select field lists, and Zoe Gil, a contact of Globex."""
    await add(SELECTABLE, SELECTABLE)


@pytest.fixture
async def just_few(dsn: str) -> None:
    """Add agents and contacts of Acme until both reach the largest number that a select field still lists."""
    await add(await fill("agent"), await fill("contact", f"customer_id = {ACME}"))


def radios(page: str, name: str) -> list[str]:
    """Return the names of the people whom a search field offers as radio buttons."""
    return re.findall(rf'<input type="radio" name="{name}"\s+value="\d+"><span>([^<]+?)\s*<', page)


async def watching(case: Case) -> list[str]:
    async with transaction(INES):
        return [one.name for one in await watchers_of(await Case.find(case.number, INES))]


@pytest.mark.usefixtures("crowd")
async def test_a_watcher_among_many_contacts_is_found_by_name(ines: Browser, case: Case) -> None:
    """S3.15, R81: Ines adds a watcher by name; the finder has only contacts of the case's customer.

    A text that matches no contact or several is refused with 422.
    """
    here, finder = f"/agent/cases/{case.number}", f"/agent/finders/contacts/{case.number}"
    page = (await ines.get(f"{here}/sharing")).text
    assert f'data-finder="{finder}"' in page
    assert '<select id="contact"' not in page
    assert "Zoe" not in (await ines.get(f"{finder}?text=")).text
    for typed, sentence in (("Zoe", "There is no contact"), ("Contact 1", ""), ("contact", "More than 20 contacts")):
        answer = await ines.send_form(f"{here}/watchers", {"contact": "", "contact_typed": typed})
        assert (answer.status_code, sentence in answer.text) == (422 if sentence else 303, True), typed
    assert await watching(case) == ["Contact 1"]
    assert re.findall(r'data-name="([^"]+)"', (await ines.get(f"{finder}?text=contact+42")).text) == ["Contact 42"]
    assert (await ines.get("/agent/finders/contacts/999999")).status_code == 404


@pytest.mark.usefixtures("crowd")
async def test_contacts_of_large_customers_find_their_colleagues_by_name(ada: Browser, case: Case) -> None:
    """S3.15: Ada finds only contacts of Acme when she adds a watcher or hands her case over."""
    here = f"/cases/{case.number}"
    page = (await ada.get(f"{here}/sharing")).text
    assert page.count('data-finder="/finders/colleagues"') == 2
    assert "Zoe" not in (await ada.get("/finders/colleagues?text=z")).text
    assert "Contact 7" in (await ada.get("/finders/colleagues?text=contact+7")).text
    stranger = await ada.send_form(f"{here}/watchers", {"contact_typed": "Zoe Gil"})
    assert (stranger.status_code, "There is no contact" in stranger.text) == (422, True)
    assert (await ada.send_form(f"{here}/watchers", {"contact_typed": "contact 7"})).status_code == 303
    given = await ada.send_form(f"{here}/handover", {"successor": "", "successor_typed": "Contact 9", "stays": "yes"})
    assert given.status_code == 303
    async with transaction(INES) as tx:
        name = await tx.fetchval(
            "select o.name from cases c join contact o on o.id = c.contact_id where c.id = $1", case.id
        )
    assert (name, await watching(case)) == ("Contact 9", ["Ada Lindqvist", "Contact 7"])


@pytest.mark.usefixtures("crowd")
async def test_one_of_many_agents_is_assigned_by_name(ines: Browser, case: Case) -> None:
    """S3.9: a case goes to the agent whose name Ines types, or to nobody; an unknown or ambiguous name gets 422."""
    here = f"/agent/cases/{case.number}/assignment"
    assert '<select id="agent"' not in (await ines.get(here)).text

    async def holder() -> int | None:
        async with transaction(INES):
            found: int | None = (await Case.find(case.number, INES)).agent_id
            return found

    assert (await ines.send_form(here, {"agent_typed": "max herr", "department_typed": ""})).status_code == 303
    assert await holder() == MAX.id
    for typed in ("colleague", "nonsense"):
        refused = await ines.send_form(here, {"agent_typed": typed, "department_typed": ""})
        assert refused.status_code == 422, typed
    assert await holder() == MAX.id
    nobody = {"agent_typed": "", "department_typed": "", "nobody": "yes"}
    assert (await ines.send_form(here, nobody)).status_code == 303
    assert await holder() is None


@pytest.mark.usefixtures("crowd")
async def test_many_cases_get_one_of_many_agents_by_name_or_nobody(ines: Browser, case: Case) -> None:
    """S3.9: Ines types the name of the agent who gets several cases; for no agent, she must tick the box *Nobody*."""
    other = await open_case("Other")
    for fields, status, agent in (
        ({"value_typed": "max herr"}, 303, MAX.id), ({"value_typed": ""}, 422, MAX.id), ({"value_typed": "colleague"}, 422, MAX.id),
        ({"value_typed": "", "nobody": "yes"}, 303, None),
    ):  # fmt: skip
        ticked = {"verb": "assign", "case": [str(case.number), str(other.number)]}
        change = (await ines.send_form("/agent/cases/changes", ticked)).headers["location"]
        assert 'data-finder="/agent/finders/colleagues"' in (await ines.get(change)).text
        assert (await ines.send_form(f"{change}/beginning", {"value": "", **fields})).status_code == status, fields
        async with transaction(INES):
            assert [(await Case.find(one.number, INES)).agent_id for one in (case, other)] == [agent, agent], fields


@pytest.mark.usefixtures("crowd")
async def test_a_case_names_few_of_its_many_readers(ines: Browser, ada: Browser, case: Case) -> None:
    """The page of a case that all of Acme may read names a few of its readers and counts the others."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set sees_all_cases = true where customer_id = $1", ACME)
    for browser, path in ((ines, f"/agent/cases/{case.number}"), (ada, f"/cases/{case.number}")):
        page = (await browser.get(path)).text
        assert re.search(r"and 9\d more", page), path
        assert page.count("Contact ") < 40, path
    assert (some(["Ada", "Alan"]), some(["Ada", "Alan", "Bea"], 2)) == ("Ada, Alan", "Ada, Alan and 1 more")
    assert case.contact_id == ADA.id


def sent(page: str, action: str) -> dict[str, str]:
    """Return the fields, without the CSRF token, that the page's form for `action` sends if nobody changes them."""
    return {name: values[-1] for name, values in form_of(page, action).fields.items() if name != "csrf"}


async def contact_of(case: Case) -> str:
    async with transaction(INES) as tx:
        return str(
            await tx.fetchval(
                "select o.name from cases c join contact o on o.id = c.contact_id where c.id = $1", case.id
            )
        )


@pytest.mark.usefixtures("just_few")
async def test_a_hundred_people_are_a_list(noor: Browser, case: Case) -> None:
    """R81: up to a hundred contacts or agents are offered in a select field instead of a search field."""
    async with transaction(INES):
        await (await Case.find(case.number, INES)).take(by=INES, at=NOW)
    for path, name in (
        (f"/agent/cases/{case.number}/facts", "contact"), (f"/agent/cases/new?customer={ACME}", "contact"),
        (f"/agent/setup/agents/{INES.id}/ending", "agent"), (f"/agent/customers/{ACME}/contacts/{ADA.id}/ending", "contact"),
        (f"/agent/cases/{case.number}/appointments/new", "agent_id"), ("/agent/setup/dispatch", "agent_id"),
    ):  # fmt: skip
        page = (await noor.get(path)).text
        assert (f'<select id="{name}"' in page, f'name="{name}_typed"' in page) == (True, False), path


@pytest.mark.usefixtures("crowd")
async def test_the_contact_of_a_case_is_found_by_name(ines: Browser, case: Case) -> None:
    """R81: without JavaScript, the form of a case has the contact's name in a field; Ines can type another name there.

    A name that no contact of the customer has is refused with 422. So is a name that several contacts have; these are
    then offered as radio buttons.
    """
    await add(contacts=2, name="Sam Twin")
    here = f"/agent/cases/{case.number}/facts"
    fields = sent((await ines.get(here)).text, here)
    assert (fields["contact_typed"], fields["contact"]) == ("Ada Lindqvist", str(ADA.id))
    assert (await ines.send_form(here, fields | {"subject": "New subject"})).status_code == 303
    assert await contact_of(case) == "Ada Lindqvist"
    fields = sent((await ines.get(here)).text, here)
    for typed in ("Zoe Gil", "nonsense", "twin"):
        refused = await ines.send_form(here, fields | {"contact_typed": typed})
        assert (refused.status_code, await contact_of(case)) == (422, "Ada Lindqvist"), typed
        assert radios(refused.text, "contact") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
    for _ in range(2):
        assert (await ines.send_form(here, fields | {"contact_typed": "contact 42"})).status_code == 303
        assert await contact_of(case) == "Contact 42"


@pytest.mark.usefixtures("crowd")
async def test_a_contact_who_has_left_stays_the_contact_until_another_is_named(ines: Browser, case: Case) -> None:
    """R81: saving a case whose contact has left keeps the contact; the finder does not offer this contact."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set ended_at = now() where id = $1", ADA.id)
    here = f"/agent/cases/{case.number}/facts"
    fields = sent((await ines.get(here)).text, here)
    assert fields["contact_typed"] == "Ada Lindqvist"
    assert (await ines.send_form(here, fields | {"subject": "Kept"})).status_code == 303
    assert await contact_of(case) == "Ada Lindqvist"
    assert "Ada" not in (await ines.get(f"/agent/finders/contacts/{case.number}?text=ada")).text


@pytest.mark.usefixtures("crowd")
async def test_two_agents_who_change_the_contact_read_whom_the_other_chose(ines: Browser, case: Case) -> None:
    """If two agents change the contact of a case, the second gets 409 with the name of the contact now stored."""
    here = f"/agent/cases/{case.number}/facts"
    fields = sent((await ines.get(here)).text, here)
    assert (await ines.send_form(here, fields | {"contact_typed": "contact 42"})).status_code == 303
    refused = await ines.send_form(here, fields | {"contact_typed": "contact 43"})
    assert (refused.status_code, "It is now “Contact 42”" in refused.text) == (409, True)
    assert await contact_of(case) == "Contact 42"


@pytest.mark.usefixtures("crowd")
async def test_a_case_is_opened_for_one_of_many_contacts(ines: Browser) -> None:
    """S3.3, R81: Ines opens a case for a contact whose name she types, and another for a new contact.

    A name that no contact of the customer has opens no case. Neither does a name that several have; these contacts are
    then offered as radio buttons.
    """
    await add(contacts=2, name="Sam Twin")
    here = f"/agent/cases/new?customer={ACME}"
    finder = f"/agent/finders/customers/{ACME}/contacts"
    assert f'data-finder="{finder}"' in (await ines.get(here)).text
    assert re.findall(r'data-name="([^"]+)"', (await ines.get(f"{finder}?text=contact+42")).text) == ["Contact 42"]
    assert (await ines.get("/agent/finders/customers/999999/contacts")).status_code == 404
    fields = {
        "customer": str(ACME),
        "contact": "",
        "subject": "Called",
        "body": "It hums.",
        "case_type": "1",
        "priority": "2",
        "to": "me",
    }

    async def opened() -> list[str]:
        async with transaction(INES) as tx:
            rows = await tx.fetch("select o.name from cases c join contact o on o.id = c.contact_id order by c.id")
            return [row["name"] for row in rows]

    for typed in ("twin", "Zoe Gil"):
        refused = await ines.send_form(here, fields | {"contact_typed": typed})
        assert (refused.status_code, await opened()) == (422, []), typed
        assert radios(refused.text, "contact") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
    assert (await ines.send_form(here, fields | {"contact_typed": "contact 42"})).status_code == 303
    new = {"contact_typed": "", "new_name": "Nia New", "new_email": "nia@acme.example"}
    assert (await ines.send_form(here, fields | new)).status_code == 303
    assert await opened() == ["Contact 42", "Nia New"]


@pytest.mark.usefixtures("crowd")
async def test_sharing_offers_the_people_whom_the_text_may_mean(ines: Browser, ada: Browser, case: Case) -> None:
    """S3.15: if several contacts have the typed name, they are offered as radio buttons, to agents and to contacts.

    Choosing one of the buttons succeeds.
    """
    await add(contacts=2, name="Sam Twin")
    for browser, path, name in (
        (ines, f"/agent/cases/{case.number}/watchers", "contact"), (ada, f"/cases/{case.number}/watchers", "contact"),
        (ada, f"/cases/{case.number}/handover", "successor"),
    ):  # fmt: skip
        refused = await browser.send_form(path, {f"{name}_typed": "sam", name: ""})
        assert (refused.status_code, radios(refused.text, name)) == (422, ["Sam Twin"] * 2), path
        twin = re.findall(rf'type="radio" name="{name}"\s+value="(\d+)"', refused.text)[1]
        chosen = await browser.send_form(path, {f"{name}_typed": "sam", name: ["", twin]})
        assert chosen.status_code == 303, path


@pytest.mark.usefixtures("crowd")
async def test_a_leaving_agent_names_one_of_many_successors(noor: Browser, case: Case) -> None:
    """R81: when Noor ends an agent's access, she types the name of the successor; without a name, nobody gets the case.

    A name that no agent has, or that several agents have, is refused with 422, and the access does not end. If several
    agents have the name, they are offered as radio buttons.
    """
    await add(agents=2, name="Sam Twin")
    async with transaction(INES):
        await (await Case.find(case.number, INES)).take(by=INES, at=NOW)
    here = f"/agent/setup/agents/{INES.id}/ending"
    assert 'data-finder="/agent/finders/colleagues"' in (await noor.get(here)).text

    async def state() -> tuple[bool, str | None]:
        async with transaction(MAX) as tx:
            row = await tx.fetchrow(
                "select a.ended_at is not null as ended, h.name from agent a, cases c left join agent h on h.id = c.agent_id"
                " where a.id = $1 and c.id = $2", INES.id, case.id,
            )  # fmt: skip
            return (row["ended"], row["name"])

    for typed in ("twin", "nonsense"):
        refused = await noor.send_form(here, {"agent": "", "agent_typed": typed})
        assert (refused.status_code, await state()) == (422, (False, "Ines Okafor")), typed
        assert radios(refused.text, "agent") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
    assert (await noor.send_form(here, {"agent": "", "agent_typed": "max herr"})).status_code == 303
    assert await state() == (True, "Max Herrmann")
    last = await noor.send_form(f"/agent/setup/agents/{MAX.id}/ending", {"agent": "", "agent_typed": ""})
    assert (last.status_code, await state()) == (303, (True, None))


@pytest.mark.usefixtures("crowd")
async def test_one_of_many_managers_approves_for_who_leaves(noor: Browser) -> None:
    """R81: if there are more than a hundred managers, the one who approves time after Max leaves is found by name.

    An agent who is not a manager is not found, and a name that several managers have is refused with 422.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set grade = 'manager' where name like 'Colleague%'")
    here = f"/agent/setup/agents/{MAX.id}/ending"
    assert 'data-finder="/agent/finders/managers"' in (await noor.get(here)).text
    assert "Ines" not in (await noor.get("/agent/finders/managers?text=ines")).text
    for typed, status in (("ines", 422), ("colleague", 422), ("colleague 99", 303)):
        assert (await noor.send_form(here, {"approver": "", "approver_typed": typed})).status_code == status, typed
    async with transaction(NOOR) as tx:
        approver = await tx.fetchval(
            "select a.name from designation d join agent a on a.id = d.agent_id where d.department_id = $1", SUPPORT
        )
    assert approver == "Colleague 99"


@pytest.mark.usefixtures("crowd")
async def test_a_leaving_contact_names_one_of_many_successors(app: Gate, noor: Browser, case: Case) -> None:
    """R81: Alan, who manages Acme's contacts, and Noor find the successor of a leaving contact by name.

    A contact of another customer is refused with 422. So is a name that several contacts have, who are then offered as
    radio buttons.
    """
    await add(contacts=2, name="Sam Twin")
    async with transaction(SYSTEM) as tx:
        await tx.execute("update contact set manages_contacts = true where id = $1", ALAN.id)
    alan = await Browser.of(app, ALAN)
    for browser, here, finder in (
        (alan, f"/contacts/{ADA.id}/ending", "/finders/colleagues"),
        (noor, f"/agent/customers/{ACME}/contacts/{ADA.id}/ending", f"/agent/finders/customers/{ACME}/contacts"),
    ):  # fmt: skip
        assert f'data-finder="{finder}"' in (await browser.get(here)).text
        for typed in ("twin", "Zoe Gil"):
            refused = await browser.send_form(here, {"contact": "", "contact_typed": typed})
            assert (refused.status_code, await contact_of(case)) == (422, "Ada Lindqvist"), typed
            assert radios(refused.text, "contact") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
    assert (
        await alan.send_form(f"/contacts/{ADA.id}/ending", {"contact": "", "contact_typed": "contact 42"})
    ).status_code == 303
    assert await contact_of(case) == "Contact 42"


async def value(sql: str, *about: int) -> str | None:
    async with transaction(SYSTEM) as tx:
        found: str | None = await tx.fetchval(sql, *about)
        return found


@pytest.mark.usefixtures("crowd")
async def test_an_appointment_is_with_one_of_many_agents(noor: Browser, case: Case) -> None:
    """R81: Noor chooses the agent of an appointment by typing the agent's name.

    If she saves the form without changing the name, the appointment keeps its agent, even one who has since left.

    A name that no agent has, or that several agents have, is refused with 422. A form loaded before the appointment was
    given to another agent is refused with 409.
    """
    await add(agents=2, name="Sam Twin")
    new = f"/agent/cases/{case.number}/appointments/new"
    fields = sent((await noor.get(new)).text, new) | {"day": "2026-12-24"}
    assert fields["agent_id_typed"] == "Noor Haddad"
    planned = "select a.name from appointment p join agent a on a.id = p.agent_id"
    for typed in ("twin", "nonsense"):
        refused = await noor.send_form(new, fields | {"agent_id_typed": typed})
        assert (refused.status_code, await value(planned)) == (422, None), typed
        assert radios(refused.text, "agent_id") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
    for _ in range(2):
        assert (await noor.send_form(new, fields | {"agent_id_typed": "colleague 42"})).status_code == 303
    assert await value("select count(*)::text from appointment") == "1"
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set ended_at = now() where name = 'Colleague 42'")
    here = f"/agent/cases/{case.number}/appointments/{await value('select id from appointment')}"
    kept = sent((await noor.get(here)).text, here)
    assert kept["agent_id_typed"] == "Colleague 42"
    assert (await noor.send_form(here, kept | {"note": "Bring the key"})).status_code == 303
    assert await value(planned) == "Colleague 42"
    assert (await noor.send_form(here, kept | {"agent_id_typed": "max herr"})).status_code == 303
    assert await value(planned) == "Max Herrmann"
    assert (await noor.send_form(here, kept | {"agent_id_typed": "colleague 41"})).status_code == 409
    assert await value(planned) == "Max Herrmann"


@pytest.mark.usefixtures("crowd")
async def test_one_of_many_managers_is_the_deputy(max_: Browser, noor: Browser) -> None:
    """C10, R81: Max and Noor, an admin, find Max's deputy by name among the managers; an empty name means no deputy.

    A deputy approves time while Max is away. A name that no manager has, or that several managers have, is refused with
    422.
    """
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set grade = 'manager' where name like 'Colleague%'")
    deputy = "select d.name from absence b join agent d on d.id = b.deputy_id"
    own, by_admin = "/agent/absences", f"/agent/setup/agents/{MAX.id}/absences"
    fields = {"first_day": "2026-12-21", "last_day": "", "note": "", "deputy_id": ""}
    for browser, here in ((max_, own), (noor, by_admin)):
        assert 'data-finder="/agent/finders/managers"' in (await browser.get(here)).text
        for typed in ("ines", "colleague"):
            refused = await browser.send_form(here, fields | {"deputy_id_typed": typed})
            assert (refused.status_code, await value("select count(*)::text from absence")) == (422, "0"), typed
    assert (await max_.send_form(own, fields | {"deputy_id_typed": "colleague 42"})).status_code == 303
    assert await value(deputy) == "Colleague 42"
    absence = await value("select id from absence")
    for browser, base, typed, named in (
        (max_, own, "Colleague 42", "Colleague 42"), (noor, by_admin, "colleague 43", "Colleague 43"), (max_, own, "", None),
    ):  # fmt: skip
        shown = sent((await browser.get(f"{base}/{absence}")).text, f"{base}/{absence}")
        answer = await browser.send_form(f"{base}/{absence}", shown | {"deputy_id_typed": typed})
        assert (answer.status_code, await value(deputy)) == (303, named), typed


@pytest.mark.usefixtures("crowd")
async def test_a_rule_of_dispatch_chooses_one_of_many_agents(noor: Browser) -> None:
    """R81: Noor chooses the agent of a dispatch rule by typing the agent's name.

    If she saves the form without changing the name, the rule keeps its agent, even one who has since left.

    A name that no agent has, or that several agents have, is refused with 422.
    """
    await add(agents=2, name="Sam Twin")
    here = "/agent/setup/dispatch"
    fields = sent((await noor.get(here)).text, here) | {"name": "To somebody"}
    chosen = "select a.name from dispatch_rule r join agent a on a.id = r.agent_id"
    for typed in ("twin", "nonsense"):
        refused = await noor.send_form(here, fields | {"agent_id_typed": typed})
        assert (refused.status_code, await value(chosen)) == (422, None), typed
        assert radios(refused.text, "agent_id") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
    assert (await noor.send_form(here, fields | {"agent_id_typed": "colleague 42"})).status_code == 303
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set ended_at = now() where name = 'Colleague 42'")
    rule = f"{here}/{await value('select id from dispatch_rule')}"
    kept = sent((await noor.get(rule)).text, rule)
    assert kept["agent_id_typed"] == "Colleague 42"
    assert (await noor.send_form(rule, kept | {"name": "Another name"})).status_code == 303
    assert await value(chosen) == "Colleague 42"
    assert (await noor.send_form(rule, kept | {"agent_id_typed": "max herr"})).status_code == 303
    assert await value(chosen) == "Max Herrmann"


@pytest.mark.usefixtures("crowd")
async def test_members_of_a_project_are_added_by_name(max_: Browser) -> None:
    """R81: the form of a project lists only its members; Max adds one agent at a time by name, and unticks members.

    A name that no agent has, or that several agents have, is refused with 422, and the ticks stay.
    """
    await add(agents=2, name="Sam Twin")
    async with transaction(MAX):
        facts = ProjectFacts(name="New office", service_id=str(HELPDESK))
        project = await Project.create(await Customer.find(ACME, SYSTEM), facts, NOW)
        await project.staff([INES.id, MAX.id])
    here = f"/agent/projects/{project.id}/edit"
    members = "select string_agg(a.name, ', ' order by a.name) from project_member m join agent a on a.id = m.agent_id"

    async def send(**typed: str) -> Any:
        form = form_of((await max_.get(here)).text, here).fields
        return await max_.send_form(here, {name: them for name, them in form.items() if name != "csrf"} | typed)

    assert "Colleague 7<" not in (await max_.get(here)).text
    for typed in ("twin", "nonsense"):
        refused = await send(member_typed=typed)
        assert (refused.status_code, await value(members)) == (422, "Ines Okafor, Max Herrmann"), typed
        assert radios(refused.text, "member") == (["Sam Twin"] * 2 if typed == "twin" else []), typed
        assert form_of(refused.text, here).fields["members"] == [str(INES.id), str(MAX.id)], typed
    for _ in range(2):
        more = await send(member_typed="colleague 42", then="more")
        assert (more.status_code, more.headers["location"]) == (303, f"{here}#members")
    assert (await send(member_typed="noor")).headers["location"] == f"/agent/projects/{project.id}"
    assert await value(members) == "Colleague 42, Ines Okafor, Max Herrmann, Noor Haddad"
    form = form_of((await max_.get(here)).text, here).fields
    assert (
        await max_.send_form(here, {n: v for n, v in form.items() if n not in ("csrf", "members")})
    ).status_code == 303
    assert await value(members) is None


@pytest.mark.usefixtures("crowd")
async def test_who_is_away_is_shown_with_the_found_agents(ines: Browser, case: Case) -> None:
    """R81: suggestions and radio buttons say until when an agent is away; a hint in the page lists who is away."""
    await add(agents=2, name="Sam Twin")
    away = "insert into absence (agent_id, first_day, last_day, note) select id, $1, $2, '' from agent where name = $3"
    async with transaction(SYSTEM) as tx:
        for name in ("Sam Twin", "Colleague 42"):
            await tx.execute(away, now().date() - timedelta(days=1), now().date() + timedelta(days=3), name)
    here, finder = f"/agent/cases/{case.number}/assignment", "/agent/finders/colleagues?text="
    assert "away until " in (await ines.get(f"{finder}colleague+42")).text
    assert "away" not in (await ines.get(f"{finder}colleague+41")).text
    assert re.search(r"Away: Colleague 42 until .+, Sam Twin until ", (await ines.get(here)).text)
    refused = await ines.send_form(here, {"agent": "", "agent_typed": "twin", "department_typed": ""})
    assert (refused.status_code, radios(refused.text, "agent")) == (422, ["Sam Twin"] * 2)
    assert refused.text.count('<span class="faint">away until ') == 2


@pytest.mark.usefixtures("crowd")
async def test_a_change_of_many_cases_offers_the_agents_whom_the_text_may_mean(ines: Browser, case: Case) -> None:
    """S3.9: if several agents have the typed name, Ines gets 422 and chooses one of them by radio buttons."""
    await add(agents=2, name="Sam Twin")
    change = (await ines.send_form("/agent/cases/changes", {"verb": "assign", "case": str(case.number)})).headers[
        "location"
    ]
    refused = await ines.send_form(f"{change}/beginning", {"value": "", "value_typed": "twin"})
    assert (refused.status_code, radios(refused.text, "value")) == (422, ["Sam Twin"] * 2)
    twin = re.findall(r'type="radio" name="value"\s+value="(\d+)"', refused.text)[1]
    chosen = await ines.send_form(f"{change}/beginning", {"value": ["", twin], "value_typed": "twin"})
    assert chosen.status_code == 303
    async with transaction(INES):
        assert (await Case.find(case.number, INES)).agent_id == int(twin)


async def test_a_hundred_managers_or_members_are_a_list(max_: Browser) -> None:
    """R81: the form of an absence lists up to a hundred managers, and the form of a project up to a hundred agents.

    If there are more people, the form has a search field instead.
    """
    await add(agents=await fill("agent"))
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set grade = 'manager' where id <> $1", NOOR.id)
    new = f"/agent/projects/new?customer={ACME}"
    for is_listed in (True, False):
        absences, project = (await max_.get("/agent/absences")).text, (await max_.get(new)).text
        assert ('<select id="deputy_id"' in absences, 'name="deputy_id_typed"' in absences) == (
            is_listed,
            not is_listed,
        )
        assert (">Colleague 42<" in project, 'name="member_typed"' in project) == (is_listed, not is_listed)
        await add(agents=2)
        async with transaction(SYSTEM) as tx:
            await tx.execute("update agent set grade = 'manager' where id <> $1", NOOR.id)
