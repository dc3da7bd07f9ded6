"""Test the invitation link, by which a new person chooses a password."""

from datetime import UTC, datetime, timedelta

from portal.database import transaction
from portal.people.access import invitations
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ADA, NOOR

CHOSEN = {"password": "kettle-mauve-oxbow-17", "again": "kettle-mauve-oxbow-17"}


async def link(age: timedelta = timedelta()) -> str:
    async with transaction(NOOR):
        return f"/invitations/{await invitations.invite(ADA.credential_id, datetime.now(UTC) - age)}"


async def test_the_link_asks_for_a_password_and_signs_in(app: Gate) -> None:
    """R7: an invitation link asks for a new password and then signs the person in."""
    path = await link()
    async with Browser(app) as browser:
        shown = await browser.get(path)
        assert shown.status_code == 200
        assert "Ada Lindqvist" in shown.text
        assert shown.headers["referrer-policy"] == "no-referrer"
        answer = await browser.send_form(path, CHOSEN | {"email": ADA.email})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "sid" in browser.cookies
    async with Browser(app) as browser:
        signed_in = await browser.send_form("/sign-in", {"email": ADA.email, "password": CHOSEN["password"]})
        assert signed_in.status_code == 303


async def test_a_used_an_old_and_an_unknown_link_are_the_same_404(app: Gate) -> None:
    """R7: an invitation link that was used, has expired or never existed gets the same 404."""
    used, old = await link(), await link(timedelta(hours=72))
    async with Browser(app) as browser:
        said = set()
        for path in (used, old, "/invitations/" + "A" * 43, "/invitations/null"):
            shown, sent = await browser.get(path), await browser.send_form(path, CHOSEN)
            assert (shown.status_code, sent.status_code) == (404, 404)
            said |= {"This invitation no longer works" in answer.text for answer in (shown, sent)}
            assert (await browser.send_form(path, CHOSEN | {"again": "x"})).status_code == 404
        assert said == {True}
        assert (await browser.get("/invitations/%20")).status_code == 404


async def test_a_refused_password_comes_back_and_the_link_stays(app: Gate) -> None:
    """R3, R4: a weak password, or two that differ, get an error message, and the invitation link stays valid."""
    path = await link()
    async with Browser(app) as browser:
        short = await browser.send_form(path, {"password": "short", "again": "short"})
        different = await browser.send_form(path, CHOSEN | {"again": "other"})
        assert (short.status_code, different.status_code) == (422, 422)
        assert "Use at least 12 characters." in short.text
        assert "The two passwords are not the same." in different.text
        assert CHOSEN["password"] not in different.text
        unknown = await browser.send_form(path, CHOSEN | {"credential_id": "3"})
        assert unknown.status_code == 400
        assert (await browser.send_form(path, CHOSEN)).status_code == 303


async def test_a_person_who_is_signed_in_is_asked_to_sign_out_first(app: Gate) -> None:
    path = await link()
    async with await Browser.of(app, NOOR) as browser:
        shown, sent = await browser.get(path), await browser.send_form(path, CHOSEN)
        assert (shown.status_code, sent.status_code) == (409, 409)
        assert "You are signed in as Noor Haddad." in shown.text
