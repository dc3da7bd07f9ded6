"""Read the audit log: who changed what, as the database records it by itself (R89, R90).

It covers access, prices, the company, submitted time and documents, and also which documents were downloaded. Database
triggers write the rows (`migrations/m0015_audit.py`), so that no code can forget one, and no database role of the app
can write or change them.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal.database import current

PAGE = 50


@dataclass(frozen=True, slots=True)
class Change:
    """One change in the audit log.

    `who` is the name of the person who made the change, or None for the portal itself. `address` is that person's IP
    address, `request` the request id. `what` joins the table and `insert`, `update`, `delete` or `export`, such as
    `agent.update`. `subject` names the changed row for people, such as a contact by its name or a time entry by its
    agent; `day` is the date of a time entry or a billing run. `changes` maps each column to its old and new value, or
    to None if the values are secret.
    """

    id: int
    at: datetime
    who: str | None
    address: str
    request: str
    what: str
    subject_id: int | None
    subject: str | None
    day: date | None
    changes: dict[str, list[Any] | None]


LATEST = """
select u.id, u.at, coalesce(a.name, t.name) as who, u.address, u.request, u.what, u.subject_id,
       case split_part(u.what, '.', 1)
         when 'agent' then (select name from agent where id = u.subject_id)
         when 'absence' then (select w.name from absence b join agent w on w.id = b.agent_id where b.id = u.subject_id)
         when 'cost_rate' then (select w.name from cost_rate r join agent w on w.id = r.agent_id where r.id = u.subject_id)
         when 'working_hours' then (select name from agent where id = u.subject_id)
         when 'designation' then (select name from agent where id = u.subject_id)
         when 'contact' then (select name from contact where id = u.subject_id)
         when 'customer' then (select name from customer where id = u.subject_id)
         when 'contract' then (select name from contract where id = u.subject_id)
         when 'service' then (select name from service where id = u.subject_id)
         when 'project' then (select name from project where id = u.subject_id)
         when 'project_member' then (select name from agent where id = u.subject_id)
         when 'task' then (select name from task where id = u.subject_id)
         when 'role' then (select name from role where id = u.subject_id)
         when 'general_kind' then (select name from general_kind where id = u.subject_id)
         when 'invoice' then (select number from invoice where id = u.subject_id)
         when 'time_entry' then (select w.name from time_entry e join agent w on w.id = e.agent_id where e.id = u.subject_id)
         when 'invitation' then (select c.email from invitation i join credential c on c.id = i.credential_id where i.id = u.subject_id)
         when 'passkey' then (select c.email from passkey k join credential c on c.id = k.credential_id where k.id = u.subject_id)
         when 'statement' then (select name from contract where id = u.subject_id)
         when 'session' then (select c.email from session s join credential c on c.id = s.credential_id where s.id = u.subject_id)
         when 'credential' then (select email from credential where id = u.subject_id)
         when 'authenticator' then (select email from credential where id = u.subject_id)
         when 'recovery_code' then (select email from credential where id = u.subject_id)
       end as subject,
       case split_part(u.what, '.', 1)
         when 'time_entry' then (select work_date from time_entry where id = u.subject_id)
         when 'billing_run' then (select until from billing_run where id = u.subject_id)
       end as day,
       u.changes
from audit u left join credential c on c.id = u.credential_id left join agent a on a.id = c.agent_id left join contact t on t.id = c.contact_id
where u.id < $1 order by u.id desc limit $2
"""


async def latest(before: int | None = None) -> tuple[list[Change], int | None]:
    """Return one page of changes, the latest first, and the keyset cursor of the next page.

    The cursor is the id of the last change on this page, or None on the last page. Pass it as `before` to get the next.
    """
    rows = await current().fetch(LATEST, before or 2**62, PAGE + 1)
    changes = [Change(**{**row, "changes": json.loads(row["changes"])}) for row in rows[:PAGE]]
    return changes, changes[-1].id if len(rows) > PAGE else None
