"""Read the audit log, filtered by person, thing, kind and date: in pages, or as a table for a file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from portal.audit.changes import Change
from portal.audit.names import REFERENCES, names_of, thing_of
from portal.database import current
from portal.exports import Column, Kind, Sheet
from portal.people.readers import AgentReader

PAGE = 50
MOST_IN_A_FILE = 20_000
"""The maximum number of changes in one file. It is limited because the request waits until the file is written."""

KINDS = {
    "access": (
        "Access and people",
        "redaction agent contact customer designation service_designation department invitation credential authenticator passkey recovery_code",
    ),
    "sessions": ("Sign-ins", "session"),
    "prices": (
        "Prices and contracts",
        "role rate cost_rate product product_price service_template contract service price_change voucher task project project_member",
    ),
    "help": ("Help articles", "help_article"),
    "company": (
        "Company and rules",
        "company logo time_rules general_kind case_status status_move follow_up_rule case_priority case_field case_field_choice tag"
        " refused_ending working_hours absence billing_schedule unscheduled_customer",
    ),
    "time": ("Submitted time", "time_entry"),
    "documents": (
        "Billing and downloads",
        "billing_run invoice credit_note payment statement timesheet potential earnings cases case changes person",
    ),
}
"""The kinds of changes by which the log can be filtered: key, label, and the names of the tables separated by blanks."""

_SUBJECTS = {
    "agent": "agent_id",
    "designation": "agent_id",
    "service_designation": "agent_id",
    "working_hours": "agent_id",
    "project_member": "agent_id",
    "timesheet": "agent_id",
    "contact": "contact_id",
    "customer": "customer_id",
    "contract": "contract_id",
    "statement": "contract_id",
    "service": "service_id",
    "project": "project_id",
    "task": "task_id",
    "role": "role_id",
    "product": "product_id",
    "general_kind": "general_kind_id",
    "case_status": "status_id",
    "case_priority": "priority_id",
    "case_field": "field_id",
    "tag": "tag_id",
    "help_article": "article_id",
    "invoice": "invoice_id",
    "time_entry": "entry_id",
    "billing_run": "run_id",
    "credential": "credential_id",
    "authenticator": "credential_id",
    "recovery_code": "credential_id",
    "person": "credential_id",
}
"""By the changed table, the column whose value `audit.subject_id` is, such as the agent's id for working hours.

Each column is a key of `REFERENCES`, which says to what kind of thing the id belongs. For tables that are not listed
here, `audit.subject_id` is the id of the changed row.
"""

_CURRENCY = (
    "(select k.currency from service s join contract k on k.id = s.contract_id where s.id = x.service_id) currency"
)
_FACTS = {
    "contact": "customer_id",
    "contract": "customer_id, currency",
    "service": "customer_id, contract_id",
    "project": f"customer_id, service_id, {_CURRENCY}",
    "task": f"customer_id, service_id, {_CURRENCY}",
    "rate": "customer_id, service_id, agent_id, role_id, currency",
    "cost_rate": "agent_id, currency",
    "price_change": f"customer_id, service_id, {_CURRENCY}",
    "product_price": "product_id, currency",
    "service_template": "name",
    "case_field_choice": "field_id, name",
    "voucher": "customer_id, label, currency",
    "absence": "agent_id, first_day, last_day",
    "time_entry": f"agent_id, customer_id, service_id, project_id, task_id, general_kind_id, work_date, {_CURRENCY}",
    "billing_run": "until",
    "invoice": "customer_id, contract_id",
    "payment": "customer_id, invoice_id, currency, amount",
    "credit_note": "customer_id, invoice_id, currency, gross",
    "invitation": "credential_id, kind",
    "passkey": "credential_id",
    "session": "credential_id",
}
"""SQL for the columns of a changed row that sentences may contain, by table.

The values are those that the row has now, not those at the time of the change.
"""

_OF_ROW = " ".join(
    f"when '{table}' then (select to_jsonb(f) from (select {columns} from {table} x where x.id = u.subject_id) f)"
    for table, columns in _FACTS.items()
)
_TABLE = "split_part(u.what, '.', 1)"
_READ = f"""
select u.id, u.at, u.credential_id, u.address, u.request, u.what, u.subject_id, u.changes, case {_TABLE} {_OF_ROW} end as facts
from audit u where """


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters of the log. None and "" do not filter.

    `who` is the credential id of the person who made the changes, `thing` an id of `THINGS`, `kind` a key of `KINDS`.
    `since` and `until` are the first and the last day, in the time zone `zone`.
    """

    zone: str
    who: int | None = None
    thing: int | None = None
    kind: str = ""
    since: date | None = None
    until: date | None = None

    def conditions(self, values: list[Any]) -> str:
        """Return the SQL condition for rows of `audit u`, and append its parameters to `values`."""

        def place(value: Any) -> str:
            values.append(value)
            return f"${len(values)}"

        found = ["true"]
        if self.who is not None:
            found.append(f"u.credential_id = {place(self.who)}")
        if self.kind in KINDS:
            found.append(f"{_TABLE} = any({place(KINDS[self.kind][1].split())})")
        if self.since:
            found.append(f"u.at >= {place(_midnight(self.since, self.zone))}")
        if self.until and self.until < date.max:
            found.append(f"u.at < {place(_midnight(self.until + timedelta(days=1), self.zone))}")
        if self.thing is not None:
            found.append(_about(*(thing_of(self.thing) or ("role", 0)), place))
        return " and ".join(found)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def _about(kind: str, id: int, place: Any) -> str:
    """Return the SQL condition for changes of one row of this kind, and of the rows that refer to this row.

    `place` appends a parameter of the query and returns its placeholder, such as `$2`.
    """
    found = list(_mentions(kind, f"{place(id)}::bigint", place))
    if kind in ("agent", "contact"):
        of_person = f"select id from credential where {kind}_id = {place(id)}"
        found += _mentions("credential", f"({of_person})", place)
    return f"({' or '.join(found)})"


def _mentions(kind: str, id: str, place: Any) -> Iterator[str]:
    """Yield SQL conditions. A change mentions the row with this kind and id if at least one of the conditions is true.

    There is an index for each condition. `id` is SQL for the id of the row.
    """
    columns = [column for column, refers_to in REFERENCES.items() if refers_to == kind]
    tables = [table for table, column in _SUBJECTS.items() if column in columns]
    yield f"(u.subject_id = {id} and {_TABLE} = any({place(tables)}))"
    for column in columns:
        yield f"(u.what <> 'time_entry.update' and u.changes @> jsonb_build_object('{column}', jsonb_build_array({id})))"
        for table, facts in _FACTS.items():
            if column in facts.replace(",", "").split():
                rows = f"array(select id from {table} where {column} = {id})"
                yield f"(u.subject_id = any({rows}) and {_TABLE} = {place(table)})"


async def latest(wanted: Filter, before: int | None = None, *, most: int = PAGE) -> tuple[list[Change], int | None]:
    """Return one page of changes, the latest first, and the cursor of the next page.

    The cursor is the id of the last change on this page, or None on the last page. Pass the cursor as `before` to get
    the next page. `most` is the maximum number of changes on the page.
    """
    values: list[Any] = [most + 1]
    sql = _READ + wanted.conditions(values)
    if before is not None:
        values.append(before)
        sql += f" and (u.at, u.id) < (select at, id from audit where id = ${len(values)})"
    sql += " order by u.at desc, u.id desc limit $1"
    rows = await current().fetch(sql, *values)
    read = [_read(row) for row in rows[:most]]
    names = await names_of(thing for change in read for thing in _mentioned(change))
    return [Change(**change, names=names) for change in read], read[-1]["id"] if len(rows) > most else None


async def how_many(wanted: Filter) -> int:
    """Return the number of changes that match the filter."""
    values: list[Any] = []
    sql = "select count(*) from audit u where " + wanted.conditions(values)
    found: int = await current().fetchval(sql, *values)
    return found


def _read(row: Any) -> dict[str, Any]:
    """Return all fields of a `Change` except `names`, by name, from a row of `_READ`."""
    changes: dict[str, list[Any] | None] = json.loads(row["changes"], parse_float=Decimal)
    table, _, verb = row["what"].partition(".")
    told = {name: values for name, values in changes.items() if values}
    facts = json.loads(row["facts"] or "{}") | {name: old if new is None else new for name, (old, new) in told.items()}
    if "minutes" in told:
        facts["minutes_before"] = told["minutes"][0]
    subject = _SUBJECTS.get(table)
    if subject and row["subject_id"] is not None:
        facts[subject] = row["subject_id"]
    kept = ("id", "at", "credential_id", "address", "request")
    return {name: row[name] for name in kept} | {"table": table, "verb": verb, "changes": changes, "facts": facts}


def _mentioned(change: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the kind and the id of each row that a change mentions."""
    if change["credential_id"] is not None:
        yield "credential", change["credential_id"]
    values = [(name, value) for name, both in change["changes"].items() for value in both or ()]
    for name, value in [*values, *change["facts"].items()]:
        if name in REFERENCES and value is not None:
            yield REFERENCES[name], value


COLUMNS = (
    Column("At", Kind.MOMENT),
    Column("Who"),
    Column("What happened"),
    Column("Details"),
    Column("IP address"),
    Column("Request"),
)


async def sheet(wanted: Filter) -> Sheet:
    """Return at most `MOST_IN_A_FILE` changes as a table, the latest first.

    Dates and amounts in the table are formatted for the reader whom `formats.reading` has set.
    """
    changes, _ = await latest(wanted, most=MOST_IN_A_FILE)
    rows = (
        (change.at, change.who.text, change.text, _listed(change), change.address, change.request) for change in changes
    )
    return Sheet("Changes", COLUMNS, rows)


def _listed(change: Change) -> str:
    return ", ".join(f"{label}: {value}" for label, value in change.details)


async def record_download(reader: AgentReader) -> None:
    """Record in the audit log that the reader downloaded the log as a CSV file (R89)."""
    await current().execute("select record_export('changes', $1, 'csv')", reader.id)
