"""Store the rules of dispatch, and the order in which they are tried. Database functions apply them (`m0210`)."""

from typing import Any, NamedTuple

from msgspec import Struct
from piccolo.columns import BigInt, BigSerial, SmallInt, Text
from piccolo.table import Table

from portal.database import current
from portal.database.rows import next_position, one
from portal.database.uniqueness import unless_taken
from portal.desk.workflow import Priority
from portal.errors import Invalid
from portal.fields import Checked, identifier, in_range, line, one_line, one_of, optional, whole
from portal.words import Balance

LONGEST_WORDS = 200
_PRIORITY = whole(min(Priority), max(Priority))


class RuleFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of a rule as typed, not validated yet.

    The conditions are `customer_id`, `service_id`, `case_type_id`, `for_priority` and `words`; "" matches any case.
    `words` are separated by commas, and one of them has to occur in the subject. The choices are `department_id`,
    `agent_id` and `sets_priority`; "" chooses nothing. `balance` is a value of `Balance`: how an agent of the
    department is chosen.
    """

    name: str
    customer_id: str = ""
    service_id: str = ""
    case_type_id: str = ""
    for_priority: str = ""
    words: str = ""
    department_id: str = ""
    agent_id: str = ""
    sets_priority: str = ""
    balance: str = Balance.LOAD.value


class ListedRule(NamedTuple):
    """A rule as the list of rules shows it.

    The names of conditions and choices that the rule does not have are None, and `words` is "" if it has none.

    `agent_works` is False if the agent of the rule has left.
    """

    id: int
    name: str
    words: str
    balance: str
    for_priority: str | None
    sets_priority: str | None
    customer: str | None
    service: str | None
    case_type: str | None
    department: str | None
    agent: str | None
    agent_works: bool

    @property
    def fits(self) -> str:
        """Return the conditions as a text that begins with a capital letter, such as `All cases`."""
        priority = f"priority {self.for_priority}" if self.for_priority else None
        said = f"subject with {' or '.join(self.said)}" if self.words else None
        words = ", ".join(filter(None, (self.customer, self.service, self.case_type, priority, said))) or "all cases"
        return words[0].upper() + words[1:]

    @property
    def said(self) -> list[str]:
        """Return the words in quotation marks. The subject of a case has to contain at least one of them."""
        return [f"“{word.strip()}”" for word in self.words.split(",") if word.strip()]

    @property
    def outcome(self) -> list[str]:
        """Return what the rule chooses, as phrases: first who gets the case, then the priority."""
        whom = self.agent and (self.agent if self.agent_works else f"{self.agent} (has left)")
        among = self.department and f"{self.department}, {Balance(self.balance).word}"
        priority = f"priority {self.sets_priority}" if self.sets_priority else None
        chosen = f"{whom}, else {among}" if whom and among else whom or among
        return [words for words in (chosen, priority) if words]


_LISTED = """
select r.id, r.name, r.words, r.balance, f.name as for_priority, s2.name as sets_priority, u.name as customer, s.name as service, t.name as case_type,
  d.name as department, a.name as agent, a.id is not null and a.ended_at is null as agent_works
from dispatch_rule r left join customer u on u.id = r.customer_id left join service s on s.id = r.service_id
left join case_type t on t.id = r.case_type_id left join department d on d.id = r.department_id left join agent a on a.id = r.agent_id
left join case_priority f on f.id = r.for_priority left join case_priority s2 on s2.id = r.sets_priority
order by r.position, r.id
"""


class DispatchRule(Table, tablename="dispatch_rule"):
    """A rule of dispatch: the conditions under which it matches a case, and what it chooses for the case.

    `position` is its place in the order in which rules are tried. `words` are separated by commas. `for_priority` is a
    condition, `sets_priority` a choice. A condition that is null matches any case.
    """

    id = BigSerial(primary_key=True)
    name = Text(default=None)
    position = SmallInt(default=None)
    customer_id = BigInt(null=True, default=None)
    service_id = BigInt(null=True, default=None)
    case_type_id = BigInt(null=True, default=None)
    for_priority = SmallInt(null=True, default=None)
    words = Text(default=None)
    department_id = BigInt(null=True, default=None)
    agent_id = BigInt(null=True, default=None)
    sets_priority = SmallInt(null=True, default=None)
    balance = Text(default=None)

    @classmethod
    async def listed(cls) -> list[ListedRule]:
        """Return all rules in the order in which they are tried."""
        return [ListedRule(**row) for row in await current().fetch(_LISTED)]

    @classmethod
    async def find(cls, rule: int, *, hold: bool = False) -> "DispatchRule":
        """Return the rule with this id. With `hold`, lock its row until the transaction ends.

        Raise `NotFound` for an unknown id.
        """
        return await one(cls.objects().where(cls.id == in_range(rule)), hold=hold)

    @classmethod
    async def create(cls, facts: RuleFacts) -> "DispatchRule":
        """Add a rule after all others, and return it.

        Raise `Invalid` if a field is not valid, or if another rule has the same name.
        """
        rule = cls(**await _read(facts), position=await next_position(cls))
        async with unless_taken("name", _taken(rule.name)):
            await rule.save()
        return rule

    async def change(self, facts: RuleFacts) -> None:
        """Replace all values of the rule except its place. Cases that the rule has assigned before keep their agent.

        Raise `Invalid` as `create` does.
        """
        values = await _read(facts)
        async with unless_taken("name", _taken(values["name"])):
            await DispatchRule.update(**values).where(DispatchRule.id == self.id)

    async def withdraw(self) -> None:
        """Delete the rule. Idempotent. The logs of cases keep its name."""
        await DispatchRule.delete().where(DispatchRule.id == self.id)

    async def move_above(self, other: int) -> None:
        """Move the rule to the place directly above the rule with the id `other`.

        The table is locked until the transaction ends. If the other rule was deleted, do nothing.
        """
        await current().execute("lock table dispatch_rule in share row exclusive mode")
        ordered = await DispatchRule.select(DispatchRule.id).order_by(DispatchRule.position, DispatchRule.id)
        ids = [row["id"] for row in ordered if row["id"] != self.id]
        if other in ids:
            ids.insert(ids.index(other), self.id)
            await current().execute(_ORDER, ids)

    @property
    def facts(self) -> RuleFacts:
        """Return the present values of the rule as form fields."""
        values = {name: getattr(self, name) for name in RuleFacts.__struct_fields__}
        return RuleFacts(**{name: "" if value is None else str(value) for name, value in values.items()})


_ORDER = """
update dispatch_rule r set position = w.place from unnest($1::bigint[]) with ordinality as w (id, place)
where r.id = w.id and r.position <> w.place
"""


async def seed_rule() -> None:
    """Add a rule that gives every case to the agent with the fewest open cases, unless there is a rule already.

    The rule chooses among the agents of the oldest department and of the departments below it. Do nothing if there is
    no department.
    """
    department = await current().fetchval("select min(id) from department")
    if department and not await DispatchRule.exists():
        await DispatchRule.create(RuleFacts(name="All other cases", department_id=str(department)))


def _taken(name: str) -> str:
    return f"There is a rule “{name}” already."


async def _read(facts: RuleFacts) -> dict[str, Any]:
    """Validate the form fields of a rule, and return its column values.

    If a service is chosen, the customer of the service becomes a condition too. Raise `Invalid` with a message for each
    field that is not valid.
    """
    checked = Checked()
    ids = ("customer_id", "service_id", "case_type_id", "department_id", "agent_id")
    values: dict[str, Any] = {"name": checked("name", line, facts.name)}
    values |= {name: checked(name, optional(identifier), getattr(facts, name)) for name in ids}
    values |= {
        name: checked(name, optional(_PRIORITY), getattr(facts, name)) for name in ("for_priority", "sets_priority")
    }
    values["words"] = ", ".join(word for word in map(str.strip, one_line(facts.words).split(",")) if word)
    values["balance"] = checked("balance", one_of(tuple(Balance)), facts.balance)
    if len(values["words"]) > LONGEST_WORDS:
        checked.refuse("words", f"Use at most {LONGEST_WORDS} characters.")
    if not any((facts.department_id, facts.agent_id, facts.sets_priority)):
        checked.refuse(
            "department_id", "Choose a department, an agent or a priority: without one, the rule does nothing."
        )
    checked.done()
    if problems := await _unknown(values):
        raise Invalid(problems)
    if values["service_id"]:
        values["customer_id"] = await current().fetchval(
            "select customer_id from service where id = $1", values["service_id"]
        )
    return values


async def _unknown(values: dict[str, Any]) -> dict[str, str]:
    """Return an error message for each field whose id cannot be chosen, by field name.

    `values` are the columns of a rule.
    """
    row = await current().fetchrow(_KNOWN, *(values[name] for name in _FIELDS))
    wrong = [name for name in _FIELDS if values[name] is not None and not row[name]]
    words = {"service_id": "Choose a service of this customer."}
    return {name: words.get(name, "Choose one from the list.") for name in wrong}


_FIELDS = ("customer_id", "service_id", "case_type_id", "department_id", "agent_id")
_KNOWN = """
select exists (select from customer where id = $1) as customer_id,
  exists (select from service where id = $2 and customer_id = coalesce($1, customer_id)) as service_id,
  exists (select from case_type where id = $3) as case_type_id, exists (select from department where id = $4) as department_id,
  exists (select from agent where id = $5) as agent_id
"""
