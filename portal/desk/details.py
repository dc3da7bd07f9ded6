"""Read a case together with the names that its page shows."""

from dataclasses import dataclass

from portal.contracts.naming import shown_service
from portal.database import current
from portal.desk.cases import Case, number_of
from portal.errors import NotFound
from portal.people.readers import ContactReader, Reader

SERVICE_NAME = shown_service("c.service_id")


@dataclass(frozen=True, slots=True)
class Details:
    """A case with the names of the people and things that its page shows.

    `colleagues` are the names of the customer's other contacts who can read the case because they may see every case of
    the customer; the contact who reads the page is left out. Agents and contacts who have left are named too:
    `agent_works` is False if the case has no agent or its agent has left, and `contact_reads` is False if the access of
    the case's contact or of the customer has ended.
    """

    case: Case
    type_name: str
    type_is_billable: bool
    customer_name: str
    contact_name: str
    contact_phone: str | None
    contact_reads: bool
    agent_name: str | None
    agent_works: bool
    service_name: str | None
    project_name: str | None
    colleagues: list[str]

    @classmethod
    async def find(cls, number: str | int, reader: Reader) -> "Details":
        """Return the case with the number `number` and the names that its page shows, read by one query.

        Raise `NotFound` if there is no such case or the reader may not see it.
        """
        row = await current().fetchrow(
            f"""select c.*, t.name as type_name, t.billable as type_is_billable, u.name as customer_name, o.name as contact_name,
              o.phone as contact_phone, o.ended_at is null and u.ended_at is null as contact_reads,
              a.name as agent_name, a.id is not null and a.ended_at is null as agent_works, {SERVICE_NAME} as service_name,
              (select j.name from project j where j.id = c.project_id) as project_name,
              (select coalesce(array_agg(x.name order by folded(x.name), x.id), '{{}}') from contact x
               where x.customer_id = c.customer_id and x.sees_all_cases and x.ended_at is null
                 and u.ended_at is null and x.id not in (c.contact_id, $2)) as colleagues
            from cases c join case_type t on t.id = c.case_type_id join customer u on u.id = c.customer_id join contact o on o.id = c.contact_id
            left join agent a on a.id = c.agent_id
            where c.number = $1 and {Case.visible_sql(reader, "c")}""",  # noqa: S608
            number_of(number),
            reader.id if isinstance(reader, ContactReader) else 0,
        )
        if row is None:
            raise NotFound
        values = dict(row)
        names = {name: values.pop(name) for name in cls.__slots__ if name != "case"}
        return cls(case=Case.of_row(values), **names)

    def others(self, reader: ContactReader) -> list[str]:
        """Return the names of the customer's contacts who can read the case, except `reader`.

        Two may have the same name.
        """
        return self.colleagues if self.case.contact_id == reader.id else self.readers

    @property
    def readers(self) -> list[str]:
        """Return the names of all contacts of the customer who can read the case."""
        return ([self.contact_name] if self.contact_reads else []) + self.colleagues

    @property
    def writes_with(self) -> str | None:
        """Return the name of the agent who gets a contact's reply; None if nobody has the case or the agent has left."""
        return self.agent_name if self.agent_works else None
