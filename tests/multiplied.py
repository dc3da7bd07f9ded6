"""Copy the rows of every table a hundred times, so that each list of a page is longer than one page may show."""

import asyncpg

from portal.database import _Server
from portal.database.pages import SIZE

COPIES = SIZE + 5
"""The number of copies of each row."""
APART = 10_000
"""The difference between the ids of successive copies. A foreign key moved by this difference refers to a copy too."""

FEW = {
    "billing_schedule": "there is one",
    "case_field": "at most 40 have not ended, and the list of the set-up has pages",
    "case_field_value": "a case has at most one for each field",
    "case_priority": "there are four",
    "case_status": "at most 50 have not ended, and no page lists more",
    "company": "there is one",
    "deadline_target": "there is one for each priority",
    "default_service": "there is one for each case type, and those are chosen on a form",
    "document": "there is one of each format for each invoice",
    "invoice_vat": "there is one for each rate of VAT on the invoice",
    "logo": "there is one",
    "migration": "no page lists them",
    "number_series": "there is one for each kind of document",
    "outgoing_reply": "each waits for ten seconds",
    "product_price": "there is one for each currency",
    "service_hours": "there are a few in a week",
    "time_rules": "there is one",
}
"""Tables whose rows always fit on one page wherever they are listed, and why."""

_MOVED = f"+ n * {APART}"
CHANGED = {
    "absence": {"first_day": "t.first_day + n * 400", "last_day": "t.last_day + n * 400"},
    "allocation": {"entry_id": f"t.entry_id {_MOVED}"},
    "attachment": {"key": "md5(t.key || n)", "message_id": f"t.message_id {_MOVED}"},
    "case_link": {"other_id": f"t.other_id {_MOVED}"},
    "credit_line": {"position": "t.position + n"},
    "deadline": {"case_id": f"t.case_id {_MOVED}"},
    "help_picture": {"name": "replace(t.name, '.', n || '.')"},
    "invoice_mail": {"form_key": "gen_random_uuid()", "asked_by_id": "(select min(id) from agent)"},
    "notice": {"record_id": f"t.record_id {_MOVED}"},
    "settled_entry": {"entry_id": f"t.entry_id {_MOVED}"},
    "voucher_service": {"voucher_id": f"t.voucher_id {_MOVED}"},
}
"""By table, the columns in which a copy differs from its row, as SQL of the row `t` and the number `n` of the copy.

A table is listed only if `_difference` would choose a wrong column of a unique index, or a value that a check refuses.
"""

_TYPES = {
    "text": "t.{0} || '-' || n",
    "date": "t.{0} + n",
    "uuid": "gen_random_uuid()",
    "bytea": "sha256(t.{0} || n::text::bytea)",
    "timestamp with time zone": "t.{0} + n * interval '1 second'",
    "integer": f"t.{{0}} {_MOVED}",
    "bigint": f"t.{{0}} {_MOVED}",
}
"""By type, the SQL of a unique column's value in a copy.

If a unique index has several columns, only the column whose type comes first here is changed.
"""

_COLUMNS = """
select c.relname as table, a.attname as column, format_type(a.atttypid, null) as type,
  exists (select from pg_constraint f where f.conrelid = c.oid and f.contype = 'f' and a.attnum = any(f.conkey)) as refers
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by c.relname, a.attnum
"""
_INDEXES = """
select c.relname as table, array(select distinct a.attname from pg_attribute a where a.attrelid = c.oid and (
    a.attnum = any(i.indkey::int2[]) or (0 = any(i.indkey::int2[]) and exists (
      select from pg_depend d where d.objid = i.indexrelid and d.refobjid = c.oid and d.refobjsubid = a.attnum)))) as columns
from pg_index i join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'public'::regnamespace and (i.indisunique or i.indisexclusion)
order by c.relname, i.indnatts, i.indexrelid
"""


async def multiply() -> dict[str, str]:
    """Copy every row `COPIES` times, without firing triggers, except in the tables `FEW`.

    Return the error for each table whose copies are refused.
    """
    refused = {}
    owner = await asyncpg.connect(_Server.dsn)
    try:
        columns: dict[str, dict[str, asyncpg.Record]] = {}
        for row in await owner.fetch(_COLUMNS):
            columns.setdefault(row["table"], {})[row["column"]] = row
        changed = {table: dict(CHANGED.get(table, {})) for table in columns}
        for table, index in await owner.fetch(_INDEXES):
            if not changed[table].keys() & set(index):
                changed[table] |= _difference([columns[table][name] for name in index])
        await owner.execute("set session_replication_role = replica")
        for table in sorted(columns.keys() - FEW.keys()):
            names = ", ".join(f'"{name}"' for name in columns[table])
            values = ", ".join(changed[table].get(name, f't."{name}"') for name in columns[table])
            try:
                await owner.execute(
                    f"insert into {table} ({names}) overriding system value"
                    f" select {values} from {table} t, generate_series(1, {COPIES}) n"
                )
            except asyncpg.PostgresError as error:
                refused[table] = str(error)
    finally:
        await owner.close()
    return refused


def _difference(index: list[asyncpg.Record]) -> dict[str, str]:
    """Choose the column of a unique index in which copies are to differ; return it with the SQL of its value in a copy.

    Return an empty dict if no column has a usable type. A reference to another table is chosen only if there is no other
    column.
    """
    order = list(_TYPES)
    usable = [column for column in index if column["type"] in _TYPES]
    if not usable:
        return {}
    column = min(usable, key=lambda column: (column["refers"], order.index(column["type"])))
    return {column["column"]: _TYPES[column["type"]].format(f'"{column["column"]}"')}
