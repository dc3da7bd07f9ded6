"""The SQL for tags that lists, merges and splits of cases share.

The tags themselves are in `portal/desk/tagging/tags.py`.
"""

import json
from typing import NamedTuple

COPY = (
    "insert into case_tag (case_id, tag_id) select $2, tag_id from case_tag where case_id = $1 on conflict do nothing"
)
"""SQL that adds the tags of the case $1 to the case $2."""


class ShownTag(NamedTuple):
    """A tag as lists and the page of a case show it."""

    id: int
    name: str


def tags_sql(case_id: str) -> str:
    """Return the SQL expression for the tags of a case, as JSON that `read` reads.

    `case_id` is the SQL of the case's id.
    """
    return (
        "(select json_agg(json_build_array(t.id, t.name) order by folded(t.name), t.id)"  # noqa: S608
        f" from case_tag g join tag t on t.id = g.tag_id where g.case_id = {case_id})::text"
    )


def read(text: str | None) -> list[ShownTag]:
    """Parse the JSON that the SQL expression of `tags_sql` yields, and return the tags."""
    return [ShownTag(*row) for row in json.loads(text or "[]")]
