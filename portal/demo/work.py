"""Plan work of the demo outside cases: weekly checks of backups, work logged under a service, and internal time."""

from datetime import date

from portal.demo.stage import Piece, Stage

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
"""The agent whose last five working days are filled."""
BLOCKS = ((8 * 60, 210), (12 * 60 + 15, 180), (15 * 60 + 30, 105))
"""When the three parts of a filled day begin, in minutes after midnight, and their maximum length in minutes."""
SHORTEST_BLOCK = 15
MEETINGS = ("Team meeting", "Training: new firewall", "Own office work", "Planning of the week", "Store room counted")


def plan(stage: Stage) -> None:
    """Plan work outside cases until the demo has `ENTRIES` time entries in total.

    Planned entries of today or later are dropped first. Raise `RuntimeError` if there are more than `ENTRIES` already.
    """
    stage.pieces[:] = [
        piece for piece in stage.pieces if piece.at < stage.calendar.now and piece.work_date < stage.calendar.today
    ]
    _plan_backups(stage)
    _plan_general(stage)
    for agent in ("Ines Okafor", "Jonas Brandt", "Lena Vogt"):
        _plan_project(stage, stage.calendar.yesterday, agent)
    _fill_week(stage)
    while len(stage.pieces) < ENTRIES:
        _plan_project(stage, stage.rng.choice(stage.calendar.workdays))
    if len(stage.pieces) > ENTRIES:
        raise RuntimeError(f"{len(stage.pieces)} entries were planned")
    stage.pieces.sort(key=lambda piece: piece.at)


def _piece(stage: Stage, day: date, agent: str, minutes: int, comment: str, **place: object) -> None:
    at = stage.calendar.instant(day, stage.rng.randrange(9 * 60, 17 * 60 + 20))
    stage.pieces.append(Piece(at, day, stage.agent(agent), minutes, comment, **place))  # type: ignore[arg-type]


def _plan_backups(stage: Stage) -> None:
    for day in stage.calendar.workdays[::5]:
        for customer in stage.customers.values():
            if stage.rng.random() < 0.6:
                agent = stage.rng.choice(("Tomasz Wilk", "Petra Lindahl"))
                minutes = stage.rng.choice((10, 15, 15, 20, 25))
                _piece(
                    stage,
                    day,
                    agent,
                    minutes,
                    "Backups and alarms of the week checked",
                    customer=customer,
                    service=customer.services[0].name,
                )


def _plan_general(stage: Stage) -> None:
    for week, day in enumerate(stage.calendar.workdays[1::5]):
        for agent in stage.agents:
            _piece(stage, day, agent, 45, "", description=MEETINGS[0])
            if (week + len(agent)) % 4 == 0:
                _piece(
                    stage,
                    day,
                    agent,
                    stage.rng.choice((60, 90, 120, 180)),
                    "",
                    description=stage.rng.choice(MEETINGS[1:]),
                )


def _fill_week(stage: Stage) -> None:
    """Plan the last five working days of one agent to about eight hours, with clock times, breaks and one overlap."""
    for day in stage.calendar.workdays[-5:]:
        of_day = [piece.minutes for piece in stage.pieces if piece.agent.name == FILLED and piece.work_date == day]
        left = 8 * 60 - sum(of_day)
        for began, most in BLOCKS:
            if left >= SHORTEST_BLOCK:
                _plan_project(stage, day, FILLED, began=began, minutes=min(most, left))
            left -= most
    _piece(
        stage,
        stage.calendar.workdays[-2],
        FILLED,
        30,
        "",
        description="Call of the whole team",
        began=BLOCKS[1][0] + 60,
    )


def _plan_project(
    stage: Stage, day: date, agent: str = "", *, began: int | None = None, minutes: int | None = None
) -> None:
    rng = stage.rng
    places = [place for place, agents in PROJECTS.items() if not agent or agent in agents]
    customer_name, service = rng.choice(places)
    comment = f"{rng.choice(THINGS.get(service, ELSE))}: {rng.choice(STEPS)}"
    is_filled = day in stage.calendar.workdays[-5:]
    worked_by = agent or rng.choice(
        [name for name in PROJECTS[customer_name, service] if name != FILLED or not is_filled]
    )
    customer = stage.customers[customer_name]
    length = minutes or rng.randrange(30, 215, 5)
    _piece(stage, day, worked_by, length, comment, customer=customer, service=service, began=began)
