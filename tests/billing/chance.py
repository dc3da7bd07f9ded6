"""Random input documents of `portal simulate`: one customer whose entries often compete for the same prepaid minutes."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

FIRST = date(2026, 1, 1)
MONEY = ("0", "0.01", "99.99", "310", "500.00")
RATES = ("0", "0.0001", "33.3333", "60", "119.95")


SCHEDULE: dict[str, Any] = {
    "name": "Late", "zone": "Europe/Berlin", "holidays": ["2026-02-10"],
    "windows": [
        {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "18:00", "to": "22:00", "factor": "1.5"},
        {"days": ["sat", "sun", "holiday"], "factor": "2"},
    ],
}  # fmt: skip
"""A schedule with price factors, which some services of a document have."""
PRICED = SCHEDULE | {
    "name": "Priced",
    "windows": [{name: value for name, value in window.items() if name != "factor"} | {"hourly_rate": rate}
                for window, rate in zip(SCHEDULE["windows"], ("75", "90.5"), strict=True)],
}  # fmt: skip
"""The schedule with hourly rates instead of factors."""
WINDOWS = {
    "Late": "Mon-Fri 18:00-22:00 x1.5\nSat, Sun, Holidays x2",
    "Priced": "Mon-Fri 18:00-22:00 at 75\nSat, Sun, Holidays at 90.5",
}
HOLIDAYS = "2026-02-10"
"""`WINDOWS` and `HOLIDAYS` are what the columns `windows` and `holidays` of a service store for the two schedules."""


class Chance:
    """A source of random documents: the same seed always gives the same documents in the same order."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def document(self) -> dict[str, Any]:
        """Return a valid extended document with steps that approve, withdraw, release, bill and extend contracts."""
        contracts = [self._contract(name) for name in ("A", "B")[: self._of(1, 2)]]
        services = [service for contract in contracts for service in contract["services"]]
        entries = [self._entry(number, services) for number in range(self._of(1, 16))]
        usable = [service for service in services if service["settlement"] != "time_spent"]
        self._ends = {contract["name"]: contract["end"] for contract in contracts if contract["end"]}
        return {
            "extended": True,
            "currency": "EUR",
            "schedules": [SCHEDULE, PRICED],
            "cash_rounding": self._one([None, "0.05"]),
            "vat": {"category": "S", "rate": self._one(["19", "7.7", "0"])},
            "rates": self._rates(services),
            "contracts": contracts,
            "vouchers": [self._voucher(number, usable) for number in range(self._of(0, 3))] if usable else [],
            "entries": entries,
            "steps": [self._step([entry["id"] for entry in entries]) for _ in range(self._of(2, 9))],
        }

    def _of(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def _one(self, options: Sequence[Any]) -> Any:
        return self._random.choice(options)

    def _some(self, options: Sequence[Any]) -> list[Any]:
        return self._random.sample(options, self._of(1, len(options)))

    def _day(self, until: int = 120) -> date:
        return FIRST + timedelta(days=self._of(0, until))

    def _contract(self, name: str) -> dict[str, Any]:
        services = [self._service(f"{name}{number}") for number in range(self._of(1, 3))]
        for service in services:
            shared = [
                one["name"] for one in services
                if one is not service and one["settlement"] == "subscription" and one["taxable"] == service["taxable"]
            ]  # fmt: skip
            if service["settlement"] != "time_spent" and shared:
                service["included_from"] = self._one([None, *shared])
        return {
            "name": name,
            "start": str(self._day(15)),
            "end": self._one([None, None, str(self._day() + timedelta(days=30))]),
            "cycle": self._one(["weekly", "monthly", "monthly", "quarterly", "half_yearly", "yearly"]),
            "anchor": str(self._day()),
            "services": services,
        }

    def _service(self, name: str) -> dict[str, Any]:
        settlement = self._one(["time_spent", "voucher", "subscription", "subscription"])
        service: dict[str, Any] = {
            "name": name,
            "settlement": settlement,
            "rollup": self._one(["none", "resource", "role", "service"]),
            "taxable": self._one([True, True, False]),
            "effective_start": self._one([None, str(self._day(40))]),
            "rounding": {
                "minimum": self._one([0, 10]),
                "increment": self._one([1, 15]),
                "mode": self._one(["up", "down", "nearest"]),
                "per": self._one(["entry", "entry", "day"]),
            },
        }
        if self._one([True, False]):
            service["schedule"] = self._one(["Late", "Priced"])
        if settlement != "time_spent":
            service |= {"overflow": self._one(["bill", "hold", "block"]), "overage_rate": self._one([None, *RATES])}
        if settlement == "subscription":
            service |= {
                "fee": self._one(MONEY),
                "included_minutes": self._of(0, 200),
                "due": self._one(["advance", "arrears"]),
                "rollover": self._one([None, None, self._rollover()]),
            }
        service["tasks"] = self._one([None, [{"name": "Travel", "fixed_fee": self._one(MONEY)}, {"name": "Work"}]])
        if settlement != "time_spent":
            service["changes"] = self._changes(settlement)
        return service

    def _rollover(self) -> dict[str, Any]:
        return {
            "periods": self._of(1, 3),
            "cap": self._one([None, 0, 60, 100]),
            "from": self._one([None, None, str(self._day())]),
        }

    def _changes(self, settlement: str) -> list[dict[str, Any]]:
        """Return up to two price changes; a price that a change does not name stays as it was."""
        prices: dict[str, Any] = {"overage_rate": self._one(RATES)}
        if settlement == "subscription":
            prices |= {"fee": self._one(MONEY), "included_minutes": self._of(0, 200)}
        days = {str(self._day()) for _ in range(self._one([0, 0, 1, 2]))}
        return [{"from": day} | {name: prices[name] for name in self._some(sorted(prices))} for day in sorted(days)]

    def _voucher(self, number: int, usable: list[dict[str, Any]]) -> dict[str, Any]:
        first = self._one(usable)
        same = [one["name"] for one in usable if one["taxable"] == first["taxable"] and one is not first]
        sold = self._day()
        since = sold + timedelta(days=self._of(0, 10))
        return {
            "id": f"V{number}",
            "services": [first["name"], *same[: self._of(0, 2)]],
            "minutes": self._of(0, 200),
            "price": self._one(MONEY),
            "sold": str(sold),
            "valid_from": str(since),
            "valid_until": self._one([None, *[str(since + timedelta(days=self._of(1, 60)))] * 3]),
        }

    def _rates(self, services: list[dict[str, Any]]) -> list[dict[str, Any]]:
        scopes: list[dict[str, Any]] = [
            {"role": "senior"},
            {"role": "trainee"},
            {"customer": True},
            {"role": "senior", "customer": True},
        ]
        scopes += [scope for one in services for scope in (
            {"service": one["name"]}, {"service": one["name"], "agent": "Ines"}, {"service": one["name"], "role": "senior"},
        )]  # fmt: skip
        days = [str(FIRST - timedelta(days=30)), str(FIRST + timedelta(days=45))]
        chosen = [(scope, day) for scope in self._some(scopes) for day in self._some(days)]
        return [scope | {"hourly_rate": self._one(RATES), "from": day} for scope, day in chosen]

    def _entry(self, number: int, services: list[dict[str, Any]]) -> dict[str, Any]:
        service = self._one(services)
        tasks = {task["name"]: task.get("fixed_fee") for task in service["tasks"] or ()}
        task = self._one([None, *tasks])
        day = self._one([self._day(), FIRST + timedelta(days=40)])
        zone = self._one([UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=5))])
        return {
            "id": f"e{number:02}",
            "service": service["name"],
            "task": task,
            "case": self._one([None, "C1", "C2"]),
            "agent": self._one(["Ines", "Max"]),
            "role": self._one(["senior", "trainee"]),
            "date": str(day),
            "started": self._one([None, f"{day}T{self._of(14, 18)}:{self._of(10, 59)}:00+01:00"]),
            "created": datetime(2026, 1, 5, 10 + self._of(0, 3), tzinfo=UTC).astimezone(zone).isoformat(),
            "actual_minutes": self._of(1, 130),
            "billing": self._one(["billable", "billable", "billable", "no_charge", "not_billable"]),
            "billable_minutes": self._one([None, None, None, 0, 45]),
            "hourly_rate": None if tasks.get(task) else self._one([None, None, None, *RATES]),
            "external_comment": self._one(["", f"work {number}"]),
        }

    def _step(self, ids: list[str]) -> dict[str, Any]:
        verb = self._one(["approve", "approve", "approve", "withdraw", "release", "bill", "bill"])
        if verb == "bill":
            return {"bill": {"until": str(self._day(200))}}
        if verb == "release" and self._ends and self._one([True, False]):
            contract, end = self._one(sorted(self._ends.items()))
            until = self._one([None, str(date.fromisoformat(end) + timedelta(days=self._of(1, 40)))])
            self._ends = {name: day for name, day in {**self._ends, contract: until}.items() if day}
            return {"extend": {"contract": contract, "until": until}}
        return {verb: self._some(ids)}
