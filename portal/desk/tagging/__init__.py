"""The SQL about tags that lists, merges and splits of cases share; `portal/desk/tagging/tags.py` has the tags themselves."""

import json
from typing import NamedTuple

COPY = (
    "insert into case_tag (case_id, tag_id) select $2, tag_id from case_tag where case_id = $1 on conflict do nothing"
)
"""SQL that gives the case $2 the tags of the case $1."""


class ShownTag(NamedTuple):
    """A tag as lists and the page of a case show it."""

    id: int
    name: str


def tags_sql(case_id: str) -> str:
    """Return the SQL expression for the tags of a case, as the JSON that `read` reads; `case_id` is the SQL of its id."""
    return (
        "(select json_agg(json_build_array(t.id, t.name) order by folded(t.name), t.id)"  # noqa: S608
        f" from case_tag g join tag t on t.id = g.tag_id where g.case_id = {case_id})::text"
    )


def read(text: str | None) -> list[ShownTag]:
    """Return the tags in the JSON of `tags_sql`."""
    return [ShownTag(*row) for row in json.loads(text or "[]")]
