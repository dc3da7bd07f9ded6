"""A case with the names around it, as its page shows it."""

from dataclasses import dataclass

from portal.database import current
from portal.desk.cases import Case
from portal.desk.facts import number_of
from portal.errors import NotFound
from portal.people.readers import ContactReader, Reader


@dataclass(frozen=True, slots=True)
class Details:
    """A case and the names that its page shows.

    `colleagues`: others of the customer who read it, because they see every case; `colleague_ids` has theirs in the same order.
    """

    case: Case
    type_name: str
    type_is_billable: bool
    customer_name: str
    contact_name: str
    contact_phone: str | None
    agent_name: str | None
    service_name: str | None
    colleagues: list[str]
    colleague_ids: list[int]

    @classmethod
    async def find(cls, number: str | int, reader: Reader) -> "Details":
        """By one query; `NotFound` if there is no such case or it is not the reader's."""
        row = await current().fetchrow(
            f"""select c.*, t.name as type_name, t.billable as type_is_billable, u.name as customer_name, o.name as contact_name,
              o.phone as contact_phone, a.name as agent_name, s.name as service_name,
              x.colleagues, x.colleague_ids
            from cases c join case_type t on t.id = c.case_type_id join customer u on u.id = c.customer_id join contact o on o.id = c.contact_id
            left join agent a on a.id = c.agent_id left join service s on s.id = c.service_id
            cross join lateral (
              select coalesce(array_agg(x.name order by x.name, x.id), '{{}}') as colleagues,
                coalesce(array_agg(x.id order by x.name, x.id), '{{}}') as colleague_ids
              from contact x where x.customer_id = c.customer_id and x.sees_all_cases and x.ended_at is null and x.id <> c.contact_id) x
            where c.number = $1 and {Case.visible_sql(reader, "c")}""",  # noqa: S608
            number_of(number),
        )
        if row is None:
            raise NotFound
        values = dict(row)
        names = {name: values.pop(name) for name in cls.__slots__ if name != "case"}
        return cls(case=Case.of_row(values), **names)

    def others(self, reader: ContactReader) -> list[str]:
        """Who of the customer reads the case beside this reader, who may share a name with one of them."""
        everybody = zip((self.case.contact_id, *self.colleague_ids), (self.contact_name, *self.colleagues), strict=True)
        return [name for contact_id, name in everybody if contact_id != reader.id]
