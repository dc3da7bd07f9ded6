"""Test the set-up page for the rules of time, what it switches off, and the pages for working hours and absences."""

import re
from datetime import timedelta
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from portal.database import transaction
from portal.desk import Case
from portal.people.agents import Agent
from portal.people.readers import SYSTEM
from portal.people.working.absences import Absence
from portal.people.working.costs import CostRate
from portal.people.working.hours import WorkingHours
from portal.timekeeping.entries import TimeEntry, Work
from portal.timekeeping.policy.switches import RulesFacts, TimeRules
from portal.web.gate import Gate
from portal.web.guards import case_time_tracked, time_tracked
from tests.browser import Browser
from tests.checksums import checksums
from tests.forms import form_of
from tests.pages import pages_of
from tests.places import Places, furnished
from tests.test_permissions import READING, rows
from tests.world import ACME, ACME_CONTRACT, ADA, HELPDESK, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("clock")

PAGE = "/agent/setup/time"
OF_TIME = re.compile(
    r"/agent/(time|timers?|approvals|held|rejections|flags|timesheets|performance|potential|projects/costs|finders/work)(/|\.|$)"
    r"|/agent/.*/(time|timers?|submission|week|day|forgotten)(/|$)"
)
"""Matches the paths of all pages and forms of time, so that new pages with such paths are tested too."""
TODAY = NOW.date()


def is_of_time(path: str) -> bool:
    return bool(OF_TIME.match(path)) and not path.startswith("/agent/setup/")


@pytest.fixture
async def case(dsn: str) -> Case:
    async with transaction(ADA):
        return await Case.open(by=ADA, subject="VPN drops", text="Since Tuesday.", case_type_id=INCIDENT, at=NOW)


@pytest.fixture
async def places(app: Gate) -> Places:
    """Create a row for each placeholder in the paths of the routes, before anybody signs in."""
    return await furnished(app.storage)


async def set_rules(**fields: str) -> None:
    async with transaction(NOOR):
        await TimeRules.change(RulesFacts(**({"tracks_time": "yes", "on_cases": "yes"} | fields)))


async def save(browser: Browser, page: str, **typed: Any) -> Any:
    """Open a page, send its form with the values `typed` in place of the shown values, and return the response.

    The value None unticks a box.
    """
    form = form_of((await browser.get(page)).text, page)
    fields = {name: value for name, value in (form.fields | typed).items() if value is not None and name != "csrf"}
    return await browser.send_form(page, fields)


class TestSetup:
    async def test_an_admin_switches_time_off_and_on(self, noor: Browser, ines: Browser) -> None:
        """S1.6: Noor switches time tracking off and on; for Ines each change applies from the next request on.

        Time on cases cannot be switched on while time tracking is off.
        """
        assert (await ines.get("/agent/time")).status_code == 200
        assert (await save(noor, PAGE, tracks_time=None)).status_code == 303
        assert "Time tracking is switched off." in (await ines.get("/agent/time")).text
        assert "Time tracking is switched off." in (await noor.get("/agent/setup")).text
        refused = await save(noor, PAGE, on_cases="yes")
        assert refused.status_code == 422
        assert "needs time tracking" in refused.text
        assert (await save(noor, PAGE, tracks_time="yes", on_cases="yes")).status_code == 303
        assert (await ines.get("/agent/time")).status_code == 200

    async def test_nobody_but_an_admin_changes_the_rules(self, ines: Browser, max_: Browser) -> None:
        for browser in (ines, max_):
            assert (await browser.send_form(PAGE, {"own_edit_hours": "48"})).status_code == 403
        async with transaction(NOOR):
            assert (await TimeRules.find()).own_edit_hours == 24

    async def test_a_refused_rule_keeps_what_was_typed_and_a_repeat_is_harmless(self, noor: Browser) -> None:
        refused = await save(noor, PAGE, own_edit_hours="0", lock_grace_days="7")
        assert refused.status_code == 422
        assert form_of(refused.text, PAGE).fields["lock_grace_days"] == ["7"]
        for _ in range(2):
            assert (await save(noor, PAGE, own_edit_hours="48")).status_code == 303
        async with transaction(NOOR) as tx:
            assert (await TimeRules.find()).own_edit_hours == 48
            assert await tx.fetchval("select count(*) from audit where what like 'time_rules.%'") == 1

    async def test_a_new_service_begins_with_the_usual_rounding(self, noor: Browser) -> None:
        """D3, D4: the form of a new service is filled in with the rounding set in the rules of time.

        Existing services keep their own rounding.
        """
        await set_rules(rounding_minimum="10", rounding_increment="6", rounding_mode="nearest")
        new = f"/agent/customers/{ACME}/contracts/{ACME_CONTRACT}/services"
        form = form_of((await noor.get(f"{new}/new")).text, f"{new}/new")
        shown = [form.fields[name] for name in ("rounding_minimum", "rounding_increment", "rounding_mode")]
        assert shown == [["10"], ["6"], ["nearest"]]
        form = form_of((await noor.get(f"{new}/{HELPDESK}")).text, f"{new}/{HELPDESK}")
        assert form.fields["rounding_increment"] == ["15"]


class TestOff:
    def guards_of(self, app: Gate) -> dict[str, set[Any]]:
        """Return the guards of each route by its method and path."""
        found: dict[str, set[Any]] = {}
        for route in app.inner.routes:
            if isinstance(route, HTTPRoute):
                for method, (handler, _) in route.route_handler_map.items():
                    guards = handler.resolve_guards()
                    found[f"{method} {route.path_format}"] = {getattr(one, "func", one) for one in guards}
        return found

    async def test_every_route_of_time_has_the_guard(self, app: Gate) -> None:
        """S1.6: every page and form of time has a guard that refuses requests while tracking is off."""
        guards = self.guards_of(app)
        of_time = [name for name in guards if is_of_time(name.split(" ")[1]) and name.split(" ")[0] in ("GET", "POST")]
        open_ones = [name for name in of_time if not guards[name] & {time_tracked, case_time_tracked}]
        assert len(of_time) >= 15
        assert open_ones == []

    async def test_without_tracking_every_route_of_time_is_refused_and_changes_nothing(
        self, places: Places, dsn: str, noor: Browser, max_: Browser
    ) -> None:
        """S1.6: while time tracking is off, managers and admins get 404 for every URL of time, by GET or by POST.

        Nothing changes.
        """
        await set_rules(tracks_time="")
        before, tried = await checksums(dsn, READING), 0
        for browser in (noor, max_):
            for name, method, path, _ in rows():
                if not is_of_time(path):
                    continue
                address = places.address(path)
                answer = await (browser.get(address) if method == "GET" else browser.send_form(address, {}))
                assert answer.status_code == 404, name
                assert "switched off" in answer.text, name
                tried += 1
        assert tried >= 30
        assert await checksums(dsn, READING) == before

    async def test_without_tracking_no_page_shows_time(
        self, places: Places, ines: Browser, max_: Browser, noor: Browser
    ) -> None:
        """S1.6: while time tracking is off, no page has a link, a form or a keyboard shortcut for time."""
        await set_rules(tracks_time="")
        shown = []
        for actor, browser in (("Ines", ines), ("Max", max_), ("Noor", noor)):
            for path in pages_of(actor):
                if is_of_time(path) or not path.startswith("/agent"):
                    continue
                page = (await browser.get(places.address(path))).text
                links = re.findall(r'(?:href|action|hx-get|hx-post)="([^"?#]*)', page)
                shown += [(actor, path, link) for link in links if is_of_time(link)]
                shown += [(actor, path, key) for key in re.findall(r'data-(?:key="[lt]"|go="[ta]")', page)]
        assert shown == []

    async def test_without_time_on_cases_the_case_has_no_panel_and_no_list(self, ines: Browser, case: Case) -> None:
        """S1.6, S1.9: if time on cases is switched off, a case shows no time, and its list of entries gets 404.

        Ines can still open the list of her own time.
        """
        here = f"/agent/cases/{case.number}"
        assert "Time on this case" in (await ines.get(here)).text
        await set_rules(on_cases="")
        page = (await ines.get(here)).text
        assert "Time on this case" not in page
        assert "on=case-" not in page
        assert (await ines.get(f"{here}/time")).status_code == 404
        assert (await ines.get("/agent/time")).status_code == 200

    async def test_a_case_without_a_project_says_how_it_gets_time(self, ines: Browser, case: Case) -> None:
        """S1.8: if only cases of projects can have time, Ines's time on a case without a project gets 422.

        The page of that case offers to choose a project.
        """
        await set_rules(projects_only="yes")
        page = (await ines.get(f"/agent/cases/{case.number}")).text
        assert "Connect this" in page
        sent = {"on": f"case-{case.number}", "duration": "30m", "work_date": TODAY.isoformat(), "billing": "billable"}
        refused = await ines.send_form("/agent/time/new", sent)
        assert refused.status_code == 422
        assert "connected to a project" in refused.text

    async def test_signed_out_pages_and_contacts_notice_nothing(self, app: Gate) -> None:
        await set_rules(tracks_time="")
        async with await Browser.of(app, ADA, at=NOW) as ada:
            assert (await ada.get("/cases")).status_code == 200
            assert (await ada.get("/agent/time")).status_code == 404
        async with Browser(app) as nobody:
            assert (await nobody.get("/sign-in")).status_code == 200


class TestLogForm:
    async def test_the_form_offers_the_agents_whom_the_grade_may_pick(self, ines: Browser, max_: Browser) -> None:
        """S1.14, S1.15, S1.23, S1.24: the form for time presets the person signed in as the agent.

        The rules of time decide who else is offered: by default, nobody else to Ines, and everybody to Max; an admin
        can reverse that.
        """
        here = "/agent/time/new"
        assert "agent" not in form_of((await ines.get(here)).text, here).names
        form = form_of((await max_.get(here)).text, here)
        assert (form.fields["agent"], form.offered["agent"]) == ([str(MAX.id)], ["1", "2", "3"])
        await set_rules(agents_pick="all", managers_pick="self")
        form = form_of((await ines.get(here)).text, here)
        assert (form.fields["agent"], form.offered["agent"]) == ([str(INES.id)], ["1", "2", "3"])
        assert "agent" not in form_of((await max_.get(here)).text, here).names

    async def test_the_server_refuses_an_agent_whom_the_form_does_not_offer(self, ines: Browser) -> None:
        """S1.16: Ines, whose form does not offer Max, gets 403 if she sends Max as the agent, and nothing is stored."""
        sent = {
            "on": "general-1",
            "duration": "30m",
            "work_date": TODAY.isoformat(),
            "description": "x",
            "agent": str(MAX.id),
        }
        assert (await ines.send_form("/agent/time/new", sent)).status_code == 403
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select count(*) from time_entry") == 0

    async def test_the_preview_warns_while_one_types(self, ines: Browser, case: Case) -> None:
        """While Ines types, the preview warns of a day of over 24 hours, of a closed case and of a locked period."""
        async with transaction(INES):
            work = Work(minutes=23 * 60, work_date=TODAY, service_id=HELPDESK)
            await TimeEntry.log(INES, work, at=NOW, case=case)
        async with transaction(SYSTEM) as tx:
            await tx.execute("update cases set status = 'closed', closed_at = $1, resolved_at = $1", NOW)
        await set_rules(locked_through=(TODAY - timedelta(days=1)).isoformat(), lock_time_zone="UTC")
        asked = f"/agent/time/preview?on=case-{case.number}&duration=2h&work_date="
        shown = (await ines.get(asked + TODAY.isoformat())).text
        assert "more than 24\u00a0h" in shown
        assert f"Case #{case.number} is closed." in shown
        assert "is locked" not in shown
        assert "is locked" in (await ines.get(asked + (TODAY - timedelta(days=1)).isoformat())).text

    async def test_the_week_says_which_day_is_odd_and_closes_locked_cells(self, ines: Browser) -> None:
        """D14: in the week grid, a locked day has no field for time, and a day of more than 24 hours has a warning."""
        monday = TODAY - timedelta(days=TODAY.weekday())
        for minutes in (20 * 60, 5 * 60):
            async with transaction(INES):
                await TimeEntry.log(INES, Work(minutes=minutes, work_date=monday, service_id=HELPDESK), at=NOW)
        async with transaction(INES):
            await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, service_id=HELPDESK), at=NOW)
        page = (await ines.get("/agent/time/week")).text
        assert "The day has 25\u00a0h: more than 24\u00a0h." in page
        name = f"service-{HELPDESK}.{HELPDESK}.0.{TODAY.isoformat()}"
        assert f'name="{name}"' in page
        await set_rules(locked_through=TODAY.isoformat(), lock_time_zone="UTC", own_edit_hours="1")
        async with transaction(SYSTEM) as tx:
            await tx.execute("update time_entry set window_from = $1", NOW - timedelta(hours=2))
        assert f'name="{name}"' not in (await ines.get("/agent/time/week")).text

    async def test_a_quarter_of_a_day_follows_the_working_hours(self, ines: Browser, noor: Browser) -> None:
        hours = f"/agent/setup/agents/{INES.id}/hours"
        assert (await save(noor, hours, friday="6h", effective_from="2026-11-16")).status_code == 303
        sent = {"on": "general-1", "duration": "0.25d", "work_date": TODAY.isoformat(), "description": "Stand-up"}
        assert (await ines.send_form("/agent/time/new", sent)).status_code == 303
        async with transaction(SYSTEM) as tx:
            assert await tx.fetchval("select actual_minutes from time_entry") == 90

    async def test_the_page_of_an_entry_says_until_when_its_author_may_change_it(self, ines: Browser) -> None:
        """C5, S2.21: an entry's page tells its author until when she can change it and, after that, why she cannot."""
        async with transaction(INES):
            entry = await TimeEntry.log(INES, Work(minutes=30, work_date=TODAY, service_id=HELPDESK), at=NOW)
        assert "You can change this until" in (await ines.get(f"/agent/time/{entry.id}")).text
        await set_rules(own_edit_hours="1")
        async with transaction(SYSTEM) as tx:
            await tx.execute("update time_entry set window_from = $1", NOW - timedelta(hours=2))
        assert "Time can be changed for 1 hour." in (await ines.get(f"/agent/time/{entry.id}")).text


class TestWorkingTime:
    async def test_an_agent_enters_changes_and_removes_an_absence(self, ines: Browser) -> None:
        here = "/agent/absences"
        assert (
            await save(ines, here, first_day="2026-12-21", last_day="2026-12-31", note="Ski trip")
        ).status_code == 303
        assert (await save(ines, here, first_day="2026-12-24", last_day="")).status_code == 422, "it overlaps"
        async with transaction(INES):
            (one,) = await Absence.of_agent(INES.id, TODAY)
        assert (await save(ines, f"{here}/{one.id}", last_day="2026-12-30")).status_code == 303
        assert "Ski trip" in (await ines.get(here)).text
        for _ in range(2):
            answer = await ines.send_form(f"{here}/{one.id}/removal", {})
        assert answer.status_code == 404
        assert "You are not away" in (await ines.get(here)).text

    async def test_colleagues_see_who_is_away_but_not_why(self, ines: Browser, max_: Browser, case: Case) -> None:
        await save(ines, "/agent/absences", first_day=TODAY.isoformat(), last_day="2026-11-27", note="Operation")
        page = (await max_.get("/agent/absences")).text
        assert "Ines Okafor" in page
        assert "Operation" not in page
        assert "Ines Okafor, away until" in (await max_.get(f"/agent/cases/{case.number}/assignment")).text
        async with transaction(INES):
            (one,) = await Absence.of_agent(INES.id, TODAY)
        here = f"/agent/absences/{one.id}"
        assert (await max_.send_form(here, {"first_day": "2026-11-20"})).status_code == 404
        assert (await max_.send_form(f"{here}/removal")).status_code == 404
        assert "of-managers" not in page

    async def test_only_a_manager_is_asked_for_a_deputy(self, ines: Browser, max_: Browser, noor: Browser) -> None:
        """C10: the form of an absence has a field for the deputy only for a manager, if there is another manager.

        Once Ines is a manager, Max names her as his deputy, and his page shows that she approves while he is away.
        """
        for browser in (ines, noor, max_):
            assert "deputy_id" not in (await browser.get("/agent/absences")).text, "Max is the only manager"
        async with transaction(SYSTEM) as tx:
            await tx.execute("update agent set grade = 'manager' where id = $1", INES.id)
        assert (await save(max_, "/agent/absences", first_day="2026-12-21", deputy_id=str(INES.id))).status_code == 303
        assert "Ines Okafor approves in the meantime" in (await max_.get("/agent/absences")).text

    async def test_an_admin_sets_hours_absences_and_cost_of_an_agent(self, noor: Browser) -> None:
        base = f"/agent/setup/agents/{INES.id}"
        assert (await save(noor, f"{base}/hours", friday="", monday="7:30")).status_code == 303
        assert (await save(noor, f"{base}/hours", monday="26h")).status_code == 422
        assert (await save(noor, f"{base}/absences", first_day="2026-12-21")).status_code == 303
        assert (await save(noor, f"{base}/absences", first_day="2026-12-21")).status_code == 422
        cost = {"hourly_cost": "62.50", "currency": "EUR", "effective_from": "2026-01-01"}
        assert (await save(noor, f"{base}/cost-rates", **cost)).status_code == 303
        assert (await save(noor, f"{base}/cost-rates", **cost)).status_code == 422
        page = (await noor.get(base)).text.replace("\u00a0", " ")
        for words in ("31 h 30 min a week", "21 Dec", "62.50"):
            assert words in page, words
        async with transaction(NOOR):
            (rate,) = await CostRate.listed(INES.id)
            assert (await WorkingHours.of(INES.id)).latest.minutes == (450, 480, 480, 480, 0, 0, 0)
        assert (await noor.send_form(f"{base}/cost-rates/{rate.id}/withdrawal", {})).status_code == 303
        assert "No cost yet" in (await noor.get(f"{base}/cost-rates")).text
        assert (
            await noor.send_form(f"/agent/setup/agents/{MAX.id}/cost-rates/{rate.id}/withdrawal", {})
        ).status_code == 404

    async def test_the_page_of_an_agent_who_has_left_still_shows_the_cost(self, noor: Browser) -> None:
        async with transaction(NOOR):
            await (await Agent.find(INES.id)).end(NOW)
        assert "Cost of an hour" in (await noor.get(f"/agent/setup/agents/{INES.id}")).text
