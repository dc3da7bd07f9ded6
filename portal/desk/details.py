"""Read a case together with the names that its page shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portal.contracts.naming import shown_service
from portal.database import current
from portal.desk import tagging
from portal.desk.cases import Case, number_of, numbered
from portal.desk.custom_fields.values import Shown, read_shown, shown_sql
from portal.desk.deadlines.promises import Clock, clock_sql
from portal.desk.looking import unread_sql
from portal.desk.replies.outgoing import LAST_REPLY, OUTGOING, Outgoing
from portal.desk.tagging import ShownTag
from portal.desk.verbs import sharing
from portal.desk.verbs.linking import Linked, links_sql
from portal.desk.verbs.rating import RATING, Rating, may_rate
from portal.desk.workflow.follow_ups import reopens_until_sql
from portal.desk.workflow.moves import Move, moves_sql, name_sql, read_moves
from portal.desk.workflow.priorities import CHOICES_SQL, Choices, priority_sql, read_choices
from portal.errors import NotFound
from portal.numbers import number_in
from portal.people.readers import ContactReader, Reader

_BY_NUMBER = numbered("$1")
SERVICE_NAME = shown_service("c.service_id")
_DEPARTMENT = ("(select d.name from department d where d.id = c.department_id)", "null::text")
"""A pair of SQL expressions for the name of the department: for agents, and for contacts, who may not read it."""
_OUTGOING = (OUTGOING, "null::text")
"""A pair of SQL expressions for replies that can be withdrawn: for agents, and for contacts, who may not read them."""
_TAGS = (tagging.tags_sql("c.id"), "null::text")
"""A pair of SQL expressions for the tags of the case: for agents, and for contacts, who may not read tags."""
_MOVES = (moves_sql("c"), "'[]'")
"""A pair of SQL expressions for the statuses that may be set: for agents, and for contacts, who cannot set one."""
_PRIORITIES = (CHOICES_SQL, "'[]'")
"""A pair of SQL expressions for the priorities that may be set: for agents, and for contacts, who cannot set one."""


@dataclass(frozen=True, slots=True)
class Details:
    """A case with the names of the people and things that its page shows.

    The agent and the contact are named even if they have left. `agent_works` is False if the case has no agent or its
    agent has left. `contact_reads` is False if the access of the contact or of the customer has ended. A contact for
    whom `contact_has_mail` is False cannot sign in, and learns of a reply only if somebody tells them. `colleagues` are
    the names of the customer's contacts who can read the case, without the contact of the case and without the reader.
    `watchers` are the names of the contacts who watch the case, and `watches` says whether the reader is a watcher.
    `department_name` is None for contacts, and for a case that was not dispatched to a department.

    `merged` are the numbers of the cases that were merged into this case, and `links` the linked cases that the reader
    may see. `follows` is the number of the closed case that this case continues, and `split_from` the number of the
    case from which this case was split off. `clock` has the deadlines. `outgoing` are the agents' replies that can
    still be withdrawn, and `tags` the tags; both are empty for contacts. `last_reply` is the id of the newest reply.
    `reopens_until` is until when a reply reopens the case, None for always. `status_word` is the name of the status for
    the reader, and `priority_word` the name of the priority. `moves` and `priorities` are the statuses and the
    priorities that an agent may set. `rating` is the customer's rating of the solution. `own` are the custom fields
    that the reader sees, and `is_unread` says whether there is something new for the reader.
    """

    case: Case
    type_name: str
    type_is_billable: bool
    customer_name: str
    contact_name: str
    contact_phone: str | None
    contact_reads: bool
    contact_has_mail: bool
    agent_name: str | None
    agent_works: bool
    department_name: str | None
    service_name: str | None
    project_name: str | None
    colleagues: list[str]
    watchers: list[str]
    watches: bool
    merged: list[int]
    links: list[Linked]
    clock: Clock
    outgoing: list[Outgoing]
    last_reply: int | None
    tags: list[ShownTag]
    rating: Rating | None
    reopens_until: datetime | None
    follows: int | None
    split_from: int | None
    status_word: str
    moves: list[Move]
    priority_word: str
    priorities: Choices
    own: list[Shown]
    is_unread: bool

    @classmethod
    async def find(cls, number: str | int, reader: Reader) -> "Details":
        """Return the case with the number `number` and the names that its page shows, read with one query.

        `number` may be a text from a URL. The number of a merged case finds the case into which it was merged. Raise
        `NotFound` if there is no such case or the reader may not see it.
        """
        sql = f"""select c.*, t.name as type_name, t.billable as type_is_billable, u.name as customer_name, o.name as contact_name,
              o.phone as contact_phone, o.ended_at is null and u.ended_at is null as contact_reads,
              exists(select from credential i where i.contact_id = o.id) as contact_has_mail,
              a.name as agent_name, a.id is not null and a.ended_at is null as agent_works, {SERVICE_NAME} as service_name,
              {_DEPARTMENT[isinstance(reader, ContactReader)]} as department_name,
              (select j.name from project j where j.id = c.project_id) as project_name,
              (select coalesce(array_agg(x.name order by folded(x.name), x.id), '{{}}') from contact x
               join credential i on i.contact_id = x.id where x.customer_id = c.customer_id and x.ended_at is null
                 and (x.sees_all_cases and not c.confidential or x.id in (select m.contact_id from cases m where m.merged_into_id = c.id)
                   or x.id in (select w.contact_id from case_watcher w where w.case_id = c.id))
                 and u.ended_at is null and x.id not in (c.contact_id, $2)) as colleagues,
              {sharing.WATCHING} as watchers,
              exists(select from case_watcher w where w.case_id = c.id and w.contact_id = $2) as watches,
              array(select m.number from cases m where m.merged_into_id = c.id order by m.number) as merged,
              {links_sql("c.id", Case.visible_sql(reader, "o"), for_contact=reader.is_contact)} as links, {clock_sql("c")} as clock,
              {name_sql("c", for_contact=reader.is_contact)} as status_word, {_MOVES[reader.is_contact]} as moves,
              {priority_sql("c")} as priority_word, {_PRIORITIES[reader.is_contact]} as priorities,
              {reopens_until_sql("c")} as reopens_until, (select f.number from cases f where f.id = c.follows_id) as follows,
              (select (e.details ->> 'number')::bigint from case_event e
               where e.case_id = c.id and e.at = c.opened_at and e.kind = 'split_off') as split_from,
              {_OUTGOING[reader.is_contact]} as outgoing, {LAST_REPLY} as last_reply, {_TAGS[reader.is_contact]} as tags,
              {RATING} as rating, {shown_sql("c", for_contact=reader.is_contact)} as own, {unread_sql("c", reader)} as is_unread
            from cases c join case_type t on t.id = c.case_type_id join customer u on u.id = c.customer_id join contact o on o.id = c.contact_id
            left join agent a on a.id = c.agent_id
            where c.id = {_BY_NUMBER} and {Case.visible_sql(reader, "c")}"""  # noqa: S608
        row = await current().fetchrow(sql, number_of(number), reader.id if isinstance(reader, ContactReader) else 0)
        if row is None:
            raise NotFound
        values = dict(row)
        names = {name: values.pop(name) for name in cls.__slots__ if name != "case"}
        return cls(
            case=Case.of_row(values),
            **names
            | {
                "links": Linked.read(names["links"]),
                "clock": Clock.read(names["clock"]),
                "moves": read_moves(names["moves"]),
                "priorities": read_choices(names["priorities"]),
                "outgoing": Outgoing.read(names["outgoing"]),
                "tags": tagging.read(names["tags"]),
                "rating": Rating.read(names["rating"]),
                "own": read_shown(names["own"]),
            },
        )

    def may_become(self, status: str) -> bool:
        """Return whether an agent may set a status of the category `status`, or the case has one of it already."""
        return self.case.status == status or any(move.status == status for move in self.moves)

    def may_rate(self, at: datetime) -> bool:
        """Return whether the customer may rate the solution at the instant `at`, or change the rating."""
        return may_rate(self.case, at)

    def stands_for(self, number: str) -> bool:
        """Return whether `number`, from a URL, is the number of a case that was merged into this case."""
        return number_of(number) in self.merged

    def named_by(self, numbers: Iterable[str]) -> list[int]:
        """Return the numbers in `numbers` that belong to cases merged into this case."""
        return [number for number in self.merged if number in {number_in(text) for text in numbers}]

    def others(self, reader: ContactReader) -> list[str]:
        """Return the names of the customer's contacts who can read the case, except `reader`.

        `colleagues` does not contain the reader, so no name has to be removed. Removing the reader's name would be
        wrong, because two contacts may have the same name.
        """
        return self.colleagues if self.case.contact_id == reader.id else self.readers

    @property
    def readers(self) -> list[str]:
        """Return the names of the customer's contacts who can read the case.

        A contact who reads the page is left out, like in `colleagues`, unless they are the contact of the case.
        """
        return ([self.contact_name] if self.contact_reads and self.contact_has_mail else []) + self.colleagues

    @property
    def writes_with(self) -> str | None:
        """Return the name of the agent who gets a contact's reply; None if the case has no agent or the agent has left."""
        return self.agent_name if self.agent_works else None
