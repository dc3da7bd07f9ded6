"""Test customers, contacts, agents, departments and invitations: creating, changing, ending, and what is refused."""

from datetime import timedelta

import asyncpg
import pytest

from portal.database import current, transaction
from portal.errors import Conflict, Invalid, NotFound
from portal.people.access import credentials, invitations, passwords, sessions
from portal.people.agents import Agent, AgentFacts, create_admin, reader_of_agent, without_approver
from portal.people.contacts import Contact, ContactFacts
from portal.people.customers import Customer, CustomerFacts
from portal.people.departments import Department, DepartmentFacts, designations_of
from portal.people.readers import SYSTEM
from portal.people.roles import Role
from tests.world import ACME, ADA, ALAN, CONSULTANT, GIL, GLOBEX, INES, MAX, MOVE, NOOR, NOW, PASSWORD, SUPPORT

pytestmark = pytest.mark.usefixtures("dsn")

INITECH = CustomerFacts(name="Initech", street="1 Main Street", postcode="75001", city="Paris", country="FR")
EVE = ContactFacts(name="Eve Moneypenny", email="Eve@Initech.example", time_zone="Europe/Paris")
TOM = AgentFacts(name="Tom Sand", email="tom@desk.example", department_id=str(SUPPORT), time_zone="Europe/Berlin")


def but(facts, **changes):
    """Return a copy of the form fields `facts` with the given changes."""
    return type(facts)(**{name: getattr(facts, name) for name in facts.__struct_fields__} | changes)


async def refused(verb, *fields: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await verb
    assert set(refusal.value.fields) == set(fields)


# --- customers


async def test_a_customer_is_made_with_its_name_as_legal_name() -> None:
    async with transaction(NOOR):
        customer = await Customer.create(but(INITECH, name="  Initech   Ltd ", vat_id="fr 34 977981232"), NOW)
        assert (customer.name, customer.legal_name, customer.vat_id) == ("Initech Ltd", "Initech Ltd", "FR34977981232")
        await customer.change(but(customer.facts, city="Lyon", vat_id=""))
        changed = await Customer.find(customer.id, SYSTEM)
        assert (changed.city, changed.vat_id) == ("Lyon", None)


async def test_a_customer_with_mistakes_is_refused_field_by_field() -> None:
    async with transaction(NOOR):
        wrong = CustomerFacts(name="", street=" ", postcode="", city="", country="ZZ", vat_id="DE1")
        await refused(Customer.create(wrong, NOW), "name", "street", "postcode", "city", "country", "vat_id")
        await refused(Customer.create(but(INITECH, name="ACME"), NOW), "name")
        assert await current().fetchval("select count(*) from customer") == 2


async def test_a_contact_sees_only_their_own_customer() -> None:
    async with transaction(GIL):
        assert (await Customer.find(GLOBEX, GIL)).name == "Globex"
        with pytest.raises(NotFound):
            await Customer.find(ACME, GIL)
        with pytest.raises(NotFound):
            await Contact.find(ADA.id, GIL)
        # Row-level security is the second check: the database itself returns no row of another customer.
        assert await current().fetchval("select count(*) from customer") == 1
        assert await current().fetchval("select count(*) from contact") == 1


async def test_the_list_is_searched_by_name_and_place_and_wildcards_are_text() -> None:
    async with transaction(INES) as tx:
        assert [row["name"] for row in await Customer.listed("dublin")] == ["Globex"]
        assert [(row["name"], row["contacts"]) for row in await Customer.listed()] == [("Acme", 2), ("Globex", 1)]
        assert await Customer.listed("%") == []
        await tx.execute("update customer set city = 'Köln' where name = 'Globex'")
        await tx.execute("update contact set phone = '+49 (0)40 / 777-3391' where name like 'Gil%'")
        for text in ("koln", "Ko\u0308ln", "gil", "glob koln", "GIL@globex.example", "040 7773391", "+49 40 777 3391"):
            assert [row["name"] for row in await Customer.listed(text)] == ["Globex"], text
        for text in ("acme koln", "gil@acme.example", "040 7773392"):
            assert await Customer.listed(text) == [], text
        await tx.execute("update contact set ended_at = created_at where name like 'Gil%'")
        assert await Customer.listed("gil@globex.example") == []
        assert await Customer.listed("a_me") == []


async def test_an_ended_customer_is_out_and_not_offered_until_it_is_restored() -> None:
    """R12: while the customer Globex is ended, Gil, its contact, cannot sign in, and forms do not offer Globex.

    Ending Globex again does not change the instant at which it ended. An ended customer can get no new contact.
    """
    async with transaction(NOOR):
        globex = await Customer.find(GLOBEX, NOOR)
        await globex.end(NOW)
        await globex.end(NOW + timedelta(days=1))
        assert [customer.id for customer in await Customer.offered()] == [ACME]
        assert await current().fetchval("select ended_at from customer where id = $1", GLOBEX) == NOW
        with pytest.raises(Conflict):
            await Contact.create(globex, EVE, NOW)
    with pytest.raises(Invalid):
        await credentials.verify(GIL.email, PASSWORD, address="192.0.2.1", at=NOW)
    async with transaction(NOOR):
        await globex.resume()
    assert (await credentials.verify(GIL.email, PASSWORD, address="192.0.2.1", at=NOW)).login_id == GIL.credential_id


# --- contacts


async def test_a_contact_is_made_without_rights_and_changed() -> None:
    async with transaction(NOOR):
        contact = await Contact.create(await Customer.find(ACME, NOOR), EVE, NOW)
        assert (contact.sees_all_cases, contact.sees_invoices, contact.manages_contacts) == (False, False, False)
        await contact.change(but(await contact.facts(), sees_invoices=True, email="eve@acme.example"), NOW)
        row = (await Contact.listed(ACME))[2]
        assert (row["name"], row["email"], row["sees_invoices"], row["accepted_at"]) == (
            "Eve Moneypenny",
            "eve@acme.example",
            True,
            None,
        )


@pytest.mark.parametrize("taken", ["ADA@acme.example", "ines@desk.example"])
async def test_an_address_belongs_to_one_contact_of_a_customer_or_to_one_agent_in_whatever_case(taken: str) -> None:
    async with transaction(NOOR):
        acme = await Customer.find(ACME, NOOR)
        await refused(Contact.create(acme, but(EVE, email=taken), NOW), "email")
        alan = await Contact.find(ALAN.id, NOOR)
        await refused(alan.change(but(await alan.facts(), email=taken), NOW), "email")
        await refused(Agent.create(but(TOM, email=taken), NOW), "email")


async def test_a_contact_of_another_customer_is_not_found_through_this_one() -> None:
    """R28: a contact is not found through the id of another customer."""
    async with transaction(NOOR):
        with pytest.raises(NotFound):
            await Contact.find(GIL.id, NOOR, customer=ACME)


async def test_an_ended_contact_is_signed_out_and_cannot_come_in() -> None:
    """R12: if a contact's access is ended, their sessions end and they cannot sign in."""
    async with transaction(None):
        token = await sessions.begin(ALAN.credential_id, address="192.0.2.1", browser="", at=NOW)
    async with transaction(NOOR):
        alan = await Contact.find(ALAN.id, NOOR)
        await alan.end(NOW)
        await alan.end(NOW)
    async with transaction(None):
        found = await sessions.find(token, NOW)
        assert found is None or not found[0].live
    with pytest.raises(Invalid):
        await credentials.verify(ALAN.email, PASSWORD, address="192.0.2.1", at=NOW)


# --- agents


async def test_an_agent_is_made_and_a_managers_departments_with_them() -> None:
    async with transaction(NOOR):
        agent = await Agent.create(but(TOM, approves=[str(SUPPORT)]), NOW)
        assert await designations_of(agent.id) == []
        facts = but(await agent.facts(), grade="manager", role_id=str(CONSULTANT), approves=[str(SUPPORT), str(MOVE)])
        await agent.change(facts, NOW)
        assert await designations_of(agent.id) == [SUPPORT, MOVE]
        assert (await (await Agent.find(agent.id)).facts()).approves == [str(SUPPORT), str(MOVE)]
        await agent.change(but(facts, grade="agent"), NOW)
        assert await designations_of(agent.id) == []


async def test_an_agent_with_mistakes_is_refused() -> None:
    async with transaction(NOOR):
        wrong = AgentFacts(name="", email="x", grade="boss", role_id="x", department_id="", locale="x", time_zone="x")
        await refused(
            Agent.create(wrong, NOW), "name", "email", "grade", "role_id", "department_id", "locale", "time_zone"
        )
        for unknown in (but(TOM, department_id="999"), but(TOM, role_id="999")):
            with pytest.raises(NotFound):
                await Agent.create(unknown, NOW)
        assert await current().fetchval("select count(*) from agent") == 3


async def test_the_last_admin_can_neither_end_nor_step_down() -> None:
    """R31: the access of Noor, the last admin, cannot be ended, and she cannot get a lower grade.

    An admin who has not set a password yet does not count as a second admin.
    """
    async with transaction(NOOR):
        noor = await Agent.find(NOOR.id)
        await refused(noor.change(but(await noor.facts(), grade="manager"), NOW), "grade")
        with pytest.raises(Conflict):
            await noor.end(NOW)
        await Agent.create(but(TOM, grade="admin"), NOW)
        with pytest.raises(Conflict):  # An admin who was only invited might never set a password.
            await noor.end(NOW)
    async with transaction(SYSTEM):
        await create_admin(name="Root", address="root@desk.example", password=PASSWORD, zone="UTC", at=NOW)
    async with transaction(NOOR):
        await noor.end(NOW)


async def test_a_changed_grade_holds_for_the_session_that_is_open() -> None:
    """R33: a changed grade applies to sessions that are already open."""
    async with transaction(None):
        token = await sessions.begin(INES.credential_id, address="192.0.2.1", browser="", at=NOW)
    async with transaction(NOOR):
        ines = await Agent.find(INES.id)
        await ines.change(but(await ines.facts(), grade="manager"), NOW)
    async with transaction(None):
        found = await sessions.find(token, NOW)
        assert found is not None
        assert found[0].reader.is_manager


async def test_a_job_reads_an_agent_with_the_rights_of_now_and_a_former_one_only_where_it_asks() -> None:
    """`reader_of_agent` returns an agent as the reader of a job, with the agent's present grade (R33).

    If the agent has left, it returns None unless `even_left` is set. If the agent is unknown, it returns None.
    """
    async with transaction(NOOR):
        assert await reader_of_agent(MAX.id) == MAX
        bo = await Agent.create(but(TOM, email="bo@desk.example"), NOW)
        await bo.change(but(await bo.facts(), grade="manager"), NOW)
        reader = await reader_of_agent(bo.id)
        assert reader is not None
        assert (reader.id, reader.email, reader.is_manager) == (bo.id, "bo@desk.example", True)
        await bo.end(NOW)
        assert await reader_of_agent(bo.id) is None
        assert await reader_of_agent(bo.id, even_left=True) == reader
        assert await reader_of_agent(4_000_000, even_left=True) is None


async def test_agents_whose_time_nobody_may_approve_are_named() -> None:
    """C10: `without_approver` names the agents whose time nobody may approve. No manager may approve their own time."""
    async with transaction(NOOR):
        assert await without_approver() == []
        max_ = await Agent.find(MAX.id)
        await max_.end(NOW)
        assert await without_approver() == [NOOR.name]


async def test_a_designation_holds_for_the_departments_below() -> None:
    """C10: a manager who is designated for a department may approve the time of the departments below it too."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set ended_at = $1 where grade = 'admin'", NOW)
        below = await tx.fetchval("insert into department (name, parent_id) values ('Field', 1) returning id")
        await tx.execute("update agent set department_id = $1 where id = $2", below, INES.id)
        assert await without_approver() == [MAX.name]
        await tx.execute("delete from designation")
        assert await without_approver() == [INES.name, MAX.name]


async def test_the_first_admin_is_made_into_an_empty_database() -> None:
    """R11: if no active agent exists, `create_admin` creates an admin who can sign in; a weak password is refused."""
    async with transaction(SYSTEM) as tx:
        await tx.execute("update agent set ended_at = $1", NOW)
        with pytest.raises(Invalid) as refusal:
            await create_admin(name="Root", address="root@desk.example", password="short", zone="UTC", at=NOW)
        assert set(refusal.value.fields) == {"password"}
        admin = await create_admin(name="Root", address="root@desk.example", password=PASSWORD, zone="UTC", at=NOW)
        assert admin.grade == "admin"
    assert await credentials.verify("root@desk.example", PASSWORD, address="192.0.2.1", at=NOW)


# --- departments and roles


async def test_departments_are_listed_as_a_tree() -> None:
    """S3.38: the tree lists each department, its depth and designated managers, and then the departments below it."""
    async with transaction(NOOR):
        onsite = await Department.create(DepartmentFacts(name="On site", parent_id=str(SUPPORT)))
        await Department.create(DepartmentFacts(name="Äußere Nacht", parent_id=str(onsite.id)))
        await Department.create(DepartmentFacts(name="Early", parent_id=str(SUPPORT)))
        tree = [(one.name, one.depth, one.managers) for one in await Department.tree()]
    assert tree == [
        ("Projects", 0, []), ("Support", 0, [MAX.name]), ("Early", 1, []), ("On site", 1, []), ("Äußere Nacht", 2, []),
    ]  # fmt: skip


async def test_the_database_refuses_a_department_below_itself() -> None:
    """S3.38: a constraint of the database refuses to move a department below one of its own sub-departments."""
    with pytest.raises(asyncpg.CheckViolationError):
        async with transaction(NOOR) as tx:
            below = await tx.fetchval("insert into department (name, parent_id) values ('Field', 1) returning id")
            await tx.execute("update department set parent_id = $1 where id = 1", below)


async def test_departments_form_a_tree_without_knots() -> None:
    """S3.38: a department can be created below another one and moved, but never below itself.

    A name that another department has, in whatever case, and an unknown parent are refused.
    """
    async with transaction(NOOR):
        onsite = await Department.create(DepartmentFacts(name="On site", parent_id=str(SUPPORT)))
        support = await Department.find(SUPPORT)
        await refused(support.change(DepartmentFacts(name="Support", parent_id=str(onsite.id))), "parent_id")
        await refused(support.change(DepartmentFacts(name="Support", parent_id=str(SUPPORT))), "parent_id")
        await refused(Department.create(DepartmentFacts(name="SUPPORT")), "name")
        with pytest.raises(NotFound):
            await Department.create(DepartmentFacts(name="Lost", parent_id="999"))
        await onsite.change(DepartmentFacts(name="Field service"))
        assert (await Department.find(onsite.id)).facts == DepartmentFacts(name="Field service", parent_id="")


async def test_roles_have_names_of_their_own() -> None:
    async with transaction(NOOR):
        role = await Role.create("Architect")
        await refused(Role.create("architect"), "name")
        await role.rename("Lead architect")
        assert (await Role.find(role.id)).name == "Lead architect"


# --- invitations


async def invited(credential: int = ADA.credential_id, at=NOW) -> str:
    async with transaction(NOOR):
        return await invitations.invite(credential, at)


async def accepted(token: str, password: str = "kettle-mauve-oxbow-17", at=NOW) -> int:
    return (await invitations.accept(token, password, at, known=["Halden IT"])).login_id


async def test_an_invitation_sets_a_password_once_and_ends_every_session() -> None:
    """R7, R17: an invitation link sets the password once, and all earlier sessions of the person end."""
    token = await invited()
    async with transaction(None) as tx:
        session = await sessions.begin(ADA.credential_id, address="192.0.2.1", browser="", at=NOW)
        whom = await invitations.find(token, NOW)
        assert (whom.email, whom.name, whom.customer_name) == (ADA.email, ADA.name, "Acme")
        assert token not in str([tuple(row) for row in await tx.fetch("select * from invitation")])
    assert await accepted(token) == ADA.credential_id
    assert await credentials.verify(ADA.email, "kettle-mauve-oxbow-17", address="192.0.2.1", at=NOW)
    with pytest.raises(NotFound):
        await accepted(token)
    async with transaction(None):
        found = await sessions.find(session, NOW)
        assert found is None or not found[0].live


async def test_no_lock_waits_while_an_accepted_password_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """R7: no transaction is open while a chosen password is hashed, so a new invitation can be made at that moment.

    The new invitation ends the older link, so the chosen password is then refused.
    """
    token, hashed = await invited(), passwords.hashed

    async def invite_meanwhile(password: str) -> str:
        with pytest.raises(RuntimeError):
            current()
        await invited()
        return await hashed(password)

    monkeypatch.setattr(passwords, "hashed", invite_meanwhile)
    with pytest.raises(NotFound):
        await accepted(token)


async def test_an_invitation_ends_after_72_hours() -> None:
    """R7: an invitation link expires after 72 hours."""
    token = await invited()
    async with transaction(None):
        assert await invitations.find(token, NOW + timedelta(hours=71, minutes=59))
        with pytest.raises(NotFound):
            await invitations.find(token, NOW + timedelta(hours=72))
    with pytest.raises(NotFound):
        await accepted(token, at=NOW + timedelta(hours=72))


async def test_a_newer_invitation_ends_the_older() -> None:
    """R7: a new invitation link ends the earlier link of the same person."""
    older, newer = await invited(), await invited()
    with pytest.raises(NotFound):
        await accepted(older)
    assert await accepted(newer) == ADA.credential_id


async def test_a_changed_address_ends_the_invitation_that_went_to_the_old_one() -> None:
    """R7: changing the mail address ends the invitation link that was sent to the old address."""
    token = await invited()
    async with transaction(NOOR):
        ada = await Contact.find(ADA.id, NOOR)
        await ada.change(but(await ada.facts(), email="ada.l@acme.example"), NOW)
    with pytest.raises(NotFound):
        await accepted(token)


@pytest.mark.parametrize("token", ["", " ", "%20", "null", "A" * 43, "' or true --", "A" * 42 + "\0", "é" * 43])
async def test_no_other_token_matches(token: str) -> None:
    """R7: a token that was never issued is not accepted."""
    await invited()
    with pytest.raises(NotFound) as refusal:
        await accepted(token)
    assert refusal.value.sentence == invitations.ENDED


@pytest.mark.parametrize("password", ["short", "password1234", "halden-halden-1", "acme-lindqvist-1", "x" * 129])
async def test_a_weak_password_is_refused_and_the_invitation_stays(password: str) -> None:
    """R3, R4: a weak password is refused, and the invitation link stays valid."""
    token = await invited()
    with pytest.raises(Invalid) as refusal:
        await accepted(token, password)
    assert set(refusal.value.fields) == {"password"}
    assert await accepted(token) == ADA.credential_id


async def test_a_person_whose_access_has_ended_accepts_no_invitation() -> None:
    """R12: a person whose access has ended cannot use their invitation link."""
    token = await invited(ALAN.credential_id)
    async with transaction(NOOR) as tx:
        await tx.execute("update contact set ended_at = $1 where id = $2", NOW, ALAN.id)
    with pytest.raises(NotFound):
        await accepted(token)
    with pytest.raises(NotFound):
        await invited(999)
