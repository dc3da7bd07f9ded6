"""Tags: words that agents add to cases, to find them again. Contacts never see them.

Every agent creates new tags by typing them. Admins rename, merge and delete tags.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, Text, Timestamptz
from piccolo.table import Table

from portal.database import current
from portal.database.finder import Finder
from portal.database.rows import one
from portal.database.uniqueness import unless_taken
from portal.desk import events
from portal.desk.verbs.changing import agents_only, finish, lock
from portal.errors import Conflict, Invalid
from portal.fields import Checked, in_range, line
from portal.people.readers import AgentReader

if TYPE_CHECKING:
    from portal.desk.cases import Case

LONGEST = 40
MOST = 20
"""The maximum number of tags of a case."""
DELETED = "The tag was deleted."
SHOWN = 100
"""The number of tags on one page of the set-up."""
TAGS = Finder("tag", "select id, name, '' as about, false as is_last from tag")


class TagName(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field with the name of a tag as typed."""

    name: str


class Tag(Table, tablename="tag"):
    """A tag. No two tags have the same name, ignoring case.

    `merged_into_id` is set just before the tag is deleted in a merge, so that the audit log names both tags.
    """

    id: BigSerial = BigSerial(primary_key=True)
    name = Text(default=None)
    created_at = Timestamptz(default=None)
    merged_into_id = BigInt(null=True, default=None)

    @classmethod
    async def find(cls, tag: int, *, hold: bool = False) -> Self:
        """Return the tag with this id; with `hold`, lock its row. Raise `NotFound` for an unknown id."""
        if hold:  # The strongest lock: it also waits for transactions that are adding the tag to a case.
            await current().execute("select from tag where id = $1 for update", in_range(tag))
        return await one(cls.objects().where(cls.id == in_range(tag)))

    @classmethod
    async def named(cls, typed: str, at: datetime, *, field: str = "tag") -> Self:
        """Return the tag with the typed name. If there is none, create it.

        Raise `Invalid` at the field `field` for a name that is not valid, and `Conflict` if the tag is being deleted
        now.
        """
        name = _checked(field, typed)
        row = await current().fetchrow(_NAMED, name, at) or await current().fetchrow(_KNOWN, name)
        if row is None:
            raise Conflict(DELETED)
        return cls(**row)

    async def rename(self, facts: TagName) -> None:
        """Rename the tag. Raise `Invalid` at the field `name` for a name that is not valid or that another tag has."""
        name = _checked("name", facts.name)
        async with unless_taken("name", f"There is a tag “{name}” already. Merge them instead."):
            await Tag.update({Tag.name: name}).where(Tag.id == self.id)

    async def merge_into(self, target: "Tag") -> None:
        """Give every case with this tag the tag `target` instead, and delete this tag.

        Raise `Invalid` at the field `into` if both are the same tag.
        """
        if target.id == self.id:
            raise Invalid({"into": "Choose another tag."})
        await current().execute(_RETAG, self.id, target.id)
        await Tag.update({Tag.merged_into_id: target.id}).where(Tag.id == self.id)
        await self.discard()

    async def discard(self) -> None:
        """Delete the tag, and remove it from every case."""
        await current().execute("delete from case_tag where tag_id = $1", self.id)
        await Tag.delete().where(Tag.id == self.id)

    @property
    def facts(self) -> TagName:
        """Return the present name of the tag as a form field."""
        return TagName(name=self.name)


class CaseTag(Table, tablename="case_tag"):
    """A tag of a case. The primary key is both ids."""

    case_id = BigInt(primary_key=True, default=None)
    tag_id = BigInt(default=None)


@dataclass(frozen=True, slots=True)
class ListedTag:
    """A tag in the set-up, with the number of its cases; 1,001 stands for any number above 1,000."""

    id: int
    name: str
    cases: int


async def listed(after: str = "") -> tuple[list[ListedTag], str]:
    """Return one page of all tags, sorted by name, and the cursor of the next page; "" if this is the last page.

    `after` is the cursor of this page.
    """
    rows = [ListedTag(**row) for row in await current().fetch(_LISTED, after)]
    return rows[:SHOWN], rows[SHOWN - 1].name if len(rows) > SHOWN else ""


async def add_tag(case: "Case", tag: Tag, *, by: AgentReader, at: datetime) -> bool:
    """Add a tag to the case, and return True; return False if the case has the tag already.

    With True, the log of the case gets a line that only agents see. Raise `NotFound` for a contact. Raise `Conflict` if
    the case was merged or the tag was deleted, and `Invalid` at the field `tag` if the case has `MOST` tags already.
    """
    agents_only(by)
    await lock(case, by)
    if not await current().fetchval("select true from tag where id = $1 for key share", tag.id):
        raise Conflict(DELETED)
    count = await current().fetchval(
        "select count(*) from case_tag where case_id = $1 and tag_id <> $2", case.id, tag.id
    )
    if count >= MOST:
        raise Invalid({"tag": f"A case has at most {MOST} tags."})
    made = await current().fetchval(_ADD, case.id, tag.id)
    return await _record("tagged", case, tag, by, at) if made else False


async def remove_tag(case: "Case", tag: Tag, *, by: AgentReader, at: datetime) -> bool:
    """Remove a tag from the case, and return True; return False if the case does not have the tag.

    With True, the log of the case gets a line that only agents see. Raise `NotFound` for a contact and `Conflict` if
    the case was merged.
    """
    agents_only(by)
    await lock(case, by)
    gone = await current().fetchval(
        "delete from case_tag where case_id = $1 and tag_id = $2 returning true", case.id, tag.id
    )
    return await _record("untagged", case, tag, by, at) if gone else False


async def _record(kind: str, case: "Case", tag: Tag, by: AgentReader, at: datetime) -> bool:
    line = (case.id, case.customer_id, kind)
    await events.record(*line, by=by, contact_may_know=False, at=at, details={"to": tag.name})
    await finish(case, [], by, at, told_as="case.changed")
    return True


def _checked(field: str, typed: str) -> str:
    checked = Checked()
    name = checked(field, line, typed)
    if name and len(name) > LONGEST:
        checked.refuse(field, f"Use at most {LONGEST} characters.")
    checked.done()
    return name


_NAMED = "insert into tag (name, created_at) values ($1, $2) on conflict (lower(name)) do nothing returning *"
_KNOWN = "select * from tag where lower(name) = lower($1)"
_ADD = "insert into case_tag (case_id, tag_id) values ($1, $2) on conflict do nothing returning true"
_RETAG = """
insert into case_tag (case_id, tag_id) select case_id, $2 from case_tag where tag_id = $1 on conflict do nothing
"""
_LISTED = f"""
select t.id, t.name, (select count(*) from (select from case_tag c where c.tag_id = t.id limit 1001) x)::int as cases
from tag t where (folded(t.name), t.id) > (folded($1), coalesce((select id from tag where name = $1), 0))
order by folded(t.name), t.id limit {SHOWN + 1}
"""  # noqa: S608
