"""Look up the names and the pages of people and things that the audit log mentions, and search for them by name."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from portal.contracts.naming import shown_contract
from portal.database import current
from portal.database.finder import Finder


class Part(NamedTuple):
    """A part of a sentence. `path` is the URL path of the page that the text links to, or "" if it is not a link."""

    text: str
    path: str = ""


REFERENCES = {
    "agent_id": "agent",
    "deputy_id": "agent",
    "entered_by_id": "agent",
    "run_by_id": "agent",
    "contact_id": "contact",
    "customer_id": "customer",
    "contract_id": "contract",
    "service_id": "service",
    "included_from_id": "service",
    "product_id": "product",
    "project_id": "project",
    "task_id": "task",
    "role_id": "role",
    "department_id": "department",
    "general_kind_id": "kind",
    "status_id": "status",
    "from_status_id": "status",
    "to_status_id": "status",
    "priority_id": "priority",
    "field_id": "field",
    "tag_id": "tag",
    "merged_into_id": "tag",
    "article_id": "article",
    "case_id": "case",
    "invoice_id": "invoice",
    "entry_id": "entry",
    "run_id": "run",
    "credential_id": "credential",
}
"""The kind of thing (a key of `_ROWS`) that a column refers to, by the name of the column."""

_ROWS = {
    "agent": "select id, name, '/agent/setup/agents/' || id as path, 'Agent' as about, ended_at is not null as is_last from agent",
    "contact": "select t.id, t.name, case when t.erased_at is null then '/agent/customers/' || t.customer_id || '/contacts/' || t.id else '' end"
    " as path,"
    " 'Contact of ' || u.name as about, t.ended_at is not null as is_last from contact t join customer u on u.id = t.customer_id",
    "customer": "select id, name, '/agent/customers/' || id as path, 'Customer' as about, ended_at is not null as is_last from customer",
    "contract": f"select k.id, {shown_contract('k')} as name, '/agent/customers/' || k.customer_id || '/contracts/' || k.id as path,"
    " 'Contract of ' || u.name as about, u.ended_at is not null as is_last from contract k join customer u on u.id = k.customer_id",
    "service": "select s.id, s.name, '/agent/services/' || s.id as path, 'Service of ' || u.name as about,"
    " u.ended_at is not null as is_last from service s join customer u on u.id = s.customer_id",
    "project": "select p.id, p.name, '/agent/projects/' || p.id as path, 'Project of ' || u.name as about,"
    " p.state = 'done' as is_last from project p join customer u on u.id = p.customer_id",
    "task": "select t.id, t.name, '/agent/tasks/' || t.id as path, 'Task of ' || s.name || ', ' || u.name as about,"
    " t.ended_at is not null as is_last from task t join service s on s.id = t.service_id join customer u on u.id = t.customer_id",
    "role": "select id, name, '/agent/setup/roles/' || id as path, 'Role' as about, false as is_last from role",
    "department": "select id, name, '/agent/setup/departments/' || id as path, 'Department' as about, false as is_last from department",
    "product": "select id, name, '/agent/setup/products/' || id as path, 'Product' as about, ended_at is not null as is_last from product",
    "kind": "select id, name, '/agent/setup/general-kinds/' || id as path, 'Kind of general time' as about,"
    " ended_at is not null as is_last from general_kind",
    "status": "select id, name, '/agent/setup/workflow/' || id as path, 'Status of cases' as about, ended_at is not null as is_last from case_status",
    "tag": "select id, name, '/agent/setup/tags/' || id as path, 'Tag' as about, false as is_last from tag",
    "priority": "select id::bigint, name, '/agent/setup/priorities' as path, 'Priority of cases' as about, false as is_last from case_priority",
    "field": "select id, name, '/agent/setup/fields/' || id as path, 'Field of cases' as about, ended_at is not null as is_last from case_field",
    "article": "select id, title as name, '/agent/help/' || id as path, 'Help article' as about, published_at is null as is_last from help_article",
    "invoice": "select i.id, coalesce(i.number, 'a draft') as name, case when i.number is null then '/agent/drafts/' || i.id"
    " else '/agent/invoices/' || i.number end as path, 'Invoice of ' || u.name as about, i.number is null as is_last"
    " from invoice i join customer u on u.id = i.customer_id",
    "case": "select id, '#' || number || ' ' || subject as name, '/agent/cases/' || number as path, 'Case' as about,"
    " false as is_last from cases",
    "entry": "select id, '' as name, '/agent/time/' || id as path, '' as about, false as is_last from time_entry",
    "run": "select id, '' as name, '/agent/billing/runs/' || id as path, '' as about, false as is_last from billing_run",
    "credential": "select c.id, coalesce(a.name, t.name) as name, case when a.id is null then"
    " '/agent/customers/' || t.customer_id || '/contacts/' || t.id else '/agent/setup/agents/' || a.id end as path,"
    " coalesce(u.name || ', ', '') || c.email as about, c.disabled_at is not null as is_last"
    " from credential c left join agent a on a.id = c.agent_id left join contact t on t.id = c.contact_id"
    " left join customer u on u.id = t.customer_id",
}  # fmt: skip
"""SQL for the rows of each kind of thing.

The columns are the id, the name, the path of the page (`path`), what distinguishes rows with the same name (`about`),
and whether suggestions list the row last, for example because it has ended (`is_last`).
"""

SEARCHED = (
    "agent",
    "contact",
    "customer",
    "contract",
    "service",
    "project",
    "task",
    "role",
    "department",
    "kind",
    "invoice",
    "product",
    "status",
    "field",
    "tag",
)
"""The kinds of things by which the log can be filtered. Append new kinds, because URLs contain the kinds' positions."""
_SPACING = 16
"""An id of `THINGS` is the row id times this number, plus the place of the kind in `SEARCHED`."""

PEOPLE = Finder("person", f"select id, name, about, is_last from ({_ROWS['credential']}) as people")
"""A search by name among all people who have a credential. It returns the ids of credentials."""
THINGS = Finder(
    "thing",
    " union all ".join(
        f"select id * {_SPACING} + {place} as id, name, about, is_last from ({_ROWS[kind]}) as rows_{place}"
        for place, kind in enumerate(SEARCHED)
    ),
)
"""A search by name among all people and things that changes are about. `thing_of` parses the ids that it returns."""


def thing_of(number: int) -> tuple[str, int] | None:
    """Return the kind and the row id that an id of `THINGS` encodes, or None if the id is not valid.

    Unlike the ids of rows, ids of `THINGS` are unique across all kinds of things.
    """
    id, place = divmod(number, _SPACING)
    return (SEARCHED[place], id) if place < len(SEARCHED) else None


Names = Mapping[tuple[str, int], Part]
"""The name and the page of things, by kind and row id."""

_NAMED = " union all ".join(
    f"select '{kind}' as kind, id, name, path from ({rows}) as rows_{place} where id = any(${place})"
    for place, (kind, rows) in enumerate(_ROWS.items(), start=1)
)


async def names_of(things: Iterable[tuple[str, int]]) -> Names:
    """Look up the names and pages of things, given by kind and row id, with one query.

    Rows that have been deleted since the change are missing from the result.
    """
    ids: dict[str, set[int]] = {kind: set() for kind in _ROWS}
    for kind, id in things:
        ids[kind].add(id)
    rows = await current().fetch(_NAMED, *(list(each) for each in ids.values()))
    return {(row["kind"], row["id"]): Part(row["name"], row["path"]) for row in rows}
