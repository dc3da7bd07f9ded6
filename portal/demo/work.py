"""Plan work of the demo outside cases: weekly checks of backups, work logged under a service, and internal time."""

from dataclasses import replace
from datetime import date

from portal.demo.scenario import PlannedWork, Scenario

ENTRIES = 1500

PROJECTS = {
    ("Globex", "Move to Cork"): ("Ines Okafor", "Jonas Brandt", "Tomasz Wilk", "Max Herrmann"),
    ("Ostrand Shipping", "Ship networks"): ("Lena Vogt", "Ines Okafor", "Petra Lindahl"),
    ("Acme", "Network care"): ("Ines Okafor", "Lena Vogt"),
    ("Quillby School", "Courses"): ("Jonas Brandt", "Noor Haddad", "Petra Lindahl"),
    ("Kelvaro Instruments", "Administration"): ("Tomasz Wilk", "Noor Haddad"),
    ("Birkholm Foods", "Helpdesk"): ("Jonas Brandt", "Petra Lindahl"),
    ("Larkmoor Clinic", "Support"): ("Tomasz Wilk", "Lena Vogt"),
}
"""For a customer and one of its services, the names of the agents who log time under that service without a case."""

STEPS = (
    "planned",
    "listed and compared with the plan",
    "prepared",
    "set up",
    "tested",
    "corrected after the test",
    "handed over",
    "written down",
)
THINGS = {
    "Courses": (
        "Course on documents",
        "Course on spreadsheets",
        "Course for class teachers",
        "Exercises for the computer room",
    ),
    "Ship networks": (
        "Bridge network",
        "Crew wireless",
        "Satellite line",
        "Cables on the main deck",
        "Router of the coaster",
    ),
    "Network care": (
        "Firewall rules",
        "Switches on the second floor",
        "Wireless coverage",
        "Network plan",
        "VPN accounts",
    ),
    "Move to Cork": (
        "Cables in the new office",
        "Server room",
        "Telephones",
        "Line of the provider",
        "Printers",
        "Move of the file server",
        "Desks",
    ),
}
ELSE = ("Updates of the month", "Inventory", "User accounts", "Restore test", "Monitoring", "Documentation")
FILLED = "Ines Okafor"
"""The agent whose last five working days are filled with about eight hours of work each."""
ON_CALL, CHECKED = "Tarnwick Print", "Backups and alarms of the week checked"
"""The customer for whom some work is moved to the evening, and the comment by which that work is found."""
BLOCKS = ((8 * 60, 210), (12 * 60 + 15, 180), (15 * 60 + 30, 105))
"""When the three parts of a filled day begin, in minutes after midnight, and their maximum length in minutes."""
SHORTEST_BLOCK = 15
MEETINGS = ("Team meeting", "Training: new firewall", "Own office work", "Planning of the week", "Store room counted")


def plan(scenario: Scenario) -> None:
    """Plan work outside cases until the demo has `ENTRIES` time entries in total.

    Planned entries of today or later are dropped first. Raise `RuntimeError` if more than `ENTRIES` would be planned.
    """
    scenario.pieces[:] = [
        piece
        for piece in scenario.pieces
        if piece.at < scenario.calendar.now and piece.work_date < scenario.calendar.today
    ]
    _plan_backups(scenario)
    _plan_general(scenario)
    for agent in ("Ines Okafor", "Jonas Brandt", "Lena Vogt"):
        _plan_project(scenario, scenario.calendar.yesterday, agent)
    _fill_week(scenario)
    while len(scenario.pieces) < ENTRIES:
        _plan_project(scenario, scenario.rng.choice(scenario.calendar.workdays))
    if len(scenario.pieces) > ENTRIES:
        raise RuntimeError(f"{len(scenario.pieces)} entries were planned")
    _move_to_evenings(scenario)
    scenario.pieces.sort(key=lambda piece: piece.at)


def _piece(scenario: Scenario, day: date, agent: str, minutes: int, comment: str, **place: object) -> None:
    at = scenario.calendar.instant(day, scenario.rng.randrange(9 * 60, 17 * 60 + 20))
    scenario.pieces.append(PlannedWork(at, day, scenario.agent(agent), minutes, comment, **place))  # type: ignore[arg-type]


def _plan_backups(scenario: Scenario) -> None:
    for day in scenario.calendar.workdays[::5]:
        for customer in scenario.customers.values():
            if scenario.rng.random() < 0.6:
                agent = scenario.rng.choice(("Tomasz Wilk", "Petra Lindahl"))
                minutes = scenario.rng.choice((10, 15, 15, 20, 25))
                _piece(
                    scenario,
                    day,
                    agent,
                    minutes,
                    CHECKED,
                    customer=customer,
                    service=customer.services[0].name,
                )


def _plan_general(scenario: Scenario) -> None:
    for week, day in enumerate(scenario.calendar.workdays[1::5]):
        for agent in scenario.agents:
            _piece(scenario, day, agent, 45, "", description=MEETINGS[0])
            if (week + len(agent)) % 4 == 0:
                _piece(
                    scenario,
                    day,
                    agent,
                    scenario.rng.choice((60, 90, 120, 180)),
                    "",
                    description=scenario.rng.choice(MEETINGS[1:]),
                )


def _fill_week(scenario: Scenario) -> None:
    """Plan work of the agent `FILLED`, until each of the last five working days has about eight hours.

    The added work has clock times, with breaks between. On one day, a call of half an hour overlaps other work.
    """
    for day in scenario.calendar.workdays[-5:]:
        of_day = [piece.minutes for piece in scenario.pieces if piece.agent.name == FILLED and piece.work_date == day]
        left = 8 * 60 - sum(of_day)
        for began, most in BLOCKS:
            if left >= SHORTEST_BLOCK:
                _plan_project(scenario, day, FILLED, began=began, minutes=min(most, left))
            left -= most
    _piece(
        scenario,
        scenario.calendar.workdays[-2],
        FILLED,
        30,
        "",
        description="Call of the whole team",
        began=BLOCKS[1][0] + 60,
    )


def _move_to_evenings(scenario: Scenario) -> None:
    """Replace the last weekly check of each month for the customer `ON_CALL` by 90 minutes of work from 17:30 on.

    The service of this customer bills work after 18:00 with a factor.
    """
    last = {}
    for place, piece in enumerate(scenario.pieces):
        if piece.customer is scenario.customers[ON_CALL] and piece.comment == CHECKED:
            last[piece.work_date.year, piece.work_date.month] = place
    for place in last.values():
        day = scenario.pieces[place].work_date
        scenario.pieces[place] = replace(
            scenario.pieces[place],
            at=scenario.calendar.instant(day, 19 * 60 + 10),
            comment="Press room server moved after work",
            minutes=90,
            began=17 * 60 + 30,
        )


def _plan_project(
    scenario: Scenario, day: date, agent: str = "", *, began: int | None = None, minutes: int | None = None
) -> None:
    rng = scenario.rng
    places = [place for place, agents in PROJECTS.items() if not agent or agent in agents]
    customer_name, service = rng.choice(places)
    comment = f"{rng.choice(THINGS.get(service, ELSE))}: {rng.choice(STEPS)}"
    is_filled = day in scenario.calendar.workdays[-5:]
    worked_by = agent or rng.choice(
        [name for name in PROJECTS[customer_name, service] if name != FILLED or not is_filled]
    )
    customer = scenario.customers[customer_name]
    length = minutes or rng.randrange(30, 215, 5)
    _piece(scenario, day, worked_by, length, comment, customer=customer, service=service, began=began)
