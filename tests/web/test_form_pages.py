"""Test that the target URL of every form can be requested with GET and redirects to the page of the form."""

import re
from typing import Any

import pytest

from portal.web.gate import Gate
from tests.places import furnished
from tests.test_permissions import ACTORS, OK, browser_of, rows

pytestmark = pytest.mark.usefixtures("clock")

WITHOUT_FORM = {
    "sent by a script while somebody types or chooses a file": (
        "POST /drafts",
        "POST /drafts/files",
        "POST /drafts/files/{file}/removal",
        "POST /drafts/preview",
        "POST /drafts/removal",
        "POST /agent/time/week/sums",
    ),
    "a button of a menu, whose form names another page as its place": ("POST /sign-out",),
    "a button that is shown only for what has ended, was removed or was dismissed": (
        "POST /agent/customers/{customer}/resumption",
        "POST /agent/customers/{customer}/contacts/{contact}/resumption",
        "POST /contacts/{contact}/resumption",
        "POST /agent/setup/agents/{agent}/resumption",
        "POST /agent/setup/case-types/{case_type}/resumption",
        "POST /agent/setup/general-kinds/{kind}/resumption",
        "POST /agent/cases/views/{view}/restoration",
        "POST /agent/setup/workflow/{status}/resumption",
        "POST /agent/setup/fields/{field}/resumption",
        "POST /agent/setup/fields/{field}/choices/{choice}/resumption",
        "POST /agent/setup/products/{product}/resumption",
        "POST /agent/setup/service-templates/{template}/resumption",
        "POST /cases/{number}/reopening",
        "POST /agent/time/forgotten/resumptions",
        "POST /agent/setup/first-steps/return",
        "POST /agent/cases/{number}/appointments/{appointment}/resumption",
        "POST /agent/tasks/{task}/resumption",
    ),
    "a button that is shown only while there is something to submit, bill, take back or fetch": (
        "POST /agent/handovers/{agent}",
        "POST /agent/cases/{number}/snooze/ending",
        "POST /agent/time/submission",
        "POST /agent/held/releases",
        "POST /agent/held/holds",
        "POST /agent/held/rejections",
        "POST /agent/invoices/{number}/mails",
        "POST /agent/setup/first-steps/dismissal",
        "POST /agent/time/left/submission",
        "POST /agent/services/{service}/submission",
        "POST /agent/projects/{project}/submission",
        "POST /agent/tasks/{task}/time/submission",
        "POST /agent/cases/{number}/appointments/{appointment}/time/submission",
        "POST /agent/time/submissions/{submission}/withdrawal",
        "POST /agent/time/forgotten/entries",
        "POST /agent/time/forgotten/dismissals",
        "POST /agent/cases/changes/{change}/undoing",
        "POST /agent/approvals/decisions/{decision}/withdrawal",
        "POST /agent/timesheets/decisions/{decision}/withdrawal",
        "POST /notices/reading/removal",
        "POST /agent/notices/reading/removal",
    ),
    "a button that is shown only for a factor, another session, a logo, an ending, a line, a question, a watcher or time that is there": (
        "POST /account/authenticator/removal",
        "POST /account/passkeys/{passkey}/removal",
        "POST /account/recovery-codes",
        "POST /account/other-sessions/ending",
        "POST /agent/customers/{customer}/contacts/{contact}/sign-out",
        "POST /agent/setup/agents/{agent}/sign-out",
        "POST /agent/customers/{customer}/contacts/{contact}/second-factor/removal",
        "POST /agent/setup/agents/{agent}/second-factor/removal",
        "POST /agent/setup/billing/customers/{customer_id}/removal",
        "POST /agent/drafts/{draft_id}/lines/{position}/removal",
        "POST /agent/drafts/{draft_id}/entries/{entry_id}/return",
        "POST /agent/questions/{question_id}/ending",
        "POST /agent/setup/files/{ending}/removal",
        "POST /agent/setup/company/logo/removal",
        "POST /cases/{number}/watchers/{contact}/removal",
        "POST /agent/cases/{number}/watchers/{contact}/removal",
    ),
    "a button that is shown only while nobody has used the field": ("POST /agent/setup/fields/{field}/deletion",),
    "a button that is shown only while a mail server refuses the address": (
        "POST /account/mail-refusal/removal",
        "POST /contacts/{contact}/mail-refusal/removal",
        "POST /agent/customers/{customer}/contacts/{contact}/mail-refusal/removal",
        "POST /agent/setup/agents/{agent}/mail-refusal/removal",
    ),
    "a button of a timer that only its owner sees": (
        "POST /agent/timer/{timer}/resumption",
        "POST /agent/timer/{timer}/place",
        "POST /agent/timer/{timer}/trimming",
        "POST /agent/timer/{timer}/confirmation",
        "POST /agent/timer/{timer}/restoration",
    ),
}
"""Forms that no page shows in the data of this test, grouped by the reason."""
EXCEPTED = {name for names in WITHOUT_FORM.values() for name in names}


def actor_of(row: Any) -> str:
    """Return the first who may send the form, in the order: a visitor ("nobody"), Noor, Ada, the rest of `ACTORS`."""
    return next((name for name in ("nobody", "Noor", "Ada", *ACTORS) if row.of(name) == OK), "nobody")


@pytest.mark.slow
async def test_each_address_that_takes_a_form_can_be_loaded_and_shows_the_form(app: Gate) -> None:
    places, wrong = await furnished(app.storage), []
    browsers = {actor: await browser_of(app, actor) for actor in ("Noor", "Ada", "Max", "Ines", "nobody")}
    gets = {path for _, _, path, _ in rows("GET")}
    for name, _, path, row in rows("POST"):
        browser, address = browsers[actor_of(row)], places.address(path)
        loaded = await browser.get(address, follow_redirects=True)
        has_form = _has_form(loaded.text, address)
        shown = path in gets or name in EXCEPTED or has_form
        if loaded.status_code != 200 or not shown:
            wrong.append((name, loaded.status_code, str(loaded.url)))
        if name in EXCEPTED and (path in gets or has_form):
            wrong.append((name, "is no exception", str(loaded.url)))
    for browser in browsers.values():
        await browser.aclose()
    assert wrong == [], "\n".join(map(str, wrong))


def _has_form(page: str, address: str) -> bool:
    return bool(re.search(rf'action="{re.escape(address)}[?"]', page))


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["nobody", "Gil", "Ines"])
async def test_an_address_that_takes_a_form_says_no_more_than_its_page(app: Gate, actor: str) -> None:
    """R25: a GET of a form's target redirects to the form's page, whether or not the object exists and may be seen.

    So the redirect does not reveal whether the object exists. The page then refuses whoever may not see the object.
    """
    places, led = await furnished(app.storage), 0
    async with await browser_of(app, actor) as browser:
        gets = {path for _, _, path, _ in rows("GET")}
        for _, _, path, _ in rows("POST"):
            if path in gets:
                continue
            answer = await browser.get(places.address(path))
            assert (answer.status_code, answer.content) == (303, b""), path
            led += 1
            for method in ("PUT", "PATCH", "DELETE"):
                assert (await browser.request(method, places.address(path))).status_code in {403, 405}, path
    assert led > 30


@pytest.mark.parametrize("number", ["1%0D%0ASet-Cookie:%20a=b", "%E2%98%83", "a%3Fb", "1%5C"])
async def test_whatever_stands_in_an_address_adds_no_header_to_the_redirect(app: Gate, number: str) -> None:
    async with await browser_of(app, "Ada") as browser:
        answer = await browser.get(f"/cases/{number}/replies")
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"/cases/{number.replace(':', '%3A').replace('=', '%3D')}",
        )
        assert "a=b" not in answer.headers.get("set-cookie", "")
