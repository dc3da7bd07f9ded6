"""Select the recipients of the notices that an outbox row causes: one SQL query for each kind of notice.

Each query reads `told`, the outbox rows to process, and returns one row for each person. The row has `credential_id`,
`record_id` and `subject_id` of the notice, and `actor_id` and `at` of the outbox row. The person who made the change,
and people whose access has ended, are left out afterwards (`portal.notices.passing`).
"""

OF_CONTACT = "c.contact_id = any(k.contact_id || o.participant_ids)"
"""SQL condition: the credential `c` belongs to the contact or a watcher of the case `k` or of a case merged into it."""

_CONCERNED = f"""
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o join cases k on k.id = o.subject_id
left join agent h on h.id = k.agent_id and h.ended_at is null
join credential c on {OF_CONTACT} or c.agent_id = h.id or (h.id is null and c.agent_id is not null)
"""  # noqa: S608
"""The contact and the watchers of the case (`OF_CONTACT`), and its agent; all agents if the case has no agent."""

REPLIED = f"""{_CONCERNED}
where c.agent_id is null or h.id is not null
  or not exists (select from credential a where a.id = o.actor_id and a.agent_id is not null)
"""
"""The people of `_CONCERNED`, but no agents if an agent replied on a case that is assigned to nobody."""

OPENED = f"""{_CONCERNED}
where not exists (
  select from outbox d where d.at = o.at and d.kind = 'case.assigned' and d.subject_id = o.subject_id and d.agent_id = c.agent_id)
"""
"""The people of `_CONCERNED`, without an agent who is notified that the case was dispatched to them."""

ASSIGNED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o join credential c on c.agent_id = o.agent_id
"""
"""The agent to whom the case was assigned."""

MENTIONED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join mention m on m.message_id = o.record_id join credential c on c.agent_id = m.agent_id
"""
"""The agents whom the note mentions."""

MOVED = f"""
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join cases k on k.id = o.subject_id join case_event e on e.id = o.record_id
join credential c on {OF_CONTACT} or (c.agent_id = k.agent_id and e.contact_id is not null)
where o.at > k.opened_at
  and (e.details ->> 'to' in ('resolved', 'closed', 'waiting_for_customer') or e.details ->> 'from' in ('resolved', 'closed'))
"""  # noqa: S608
"""The contact and the watchers of the case (`OF_CONTACT`), and its agent if a contact changed the status.

Only for a case that is resolved, closed, opened again or set to wait for the customer. A status that is set at the
instant at which the case is opened is left out, because the notice of the new case covers it.
"""

REMINDED = f"""
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join cases k on k.id = o.subject_id join credential c on {OF_CONTACT} where k.reminded_at is not null
"""  # noqa: S608
"""The contact and the watchers of the case (`OF_CONTACT`), unless the case no longer waits."""

SHARED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join case_event e on e.id = o.record_id join credential c on c.contact_id = (e.details ->> 'contact')::bigint
"""
"""The contact who became a watcher of the case, or who became its contact because the case was handed over to them."""

_MANAGERS = """
array(
  with recursive above as (
    select d.id, d.parent_id from department d where d.id = coalesce(k.department_id, h.department_id)
    union select d.id, d.parent_id from department d join above b on d.id = b.parent_id
  ), managers as (
    select a.id from agent a where a.ended_at is null and a.grade <> 'agent'
  ), named as (
    select m.id from managers m where m.id in (select n.agent_id from designation n join above b on b.id = n.department_id)
  )
  select id from named union all select id from managers where not exists (select from named))
"""
"""SQL for the ids of the managers of the case's department or, without one, of the department of the case's agent.

The case is `k` and its agent is `h`. These are the managers who are designated for the department or for a department
above it; if there are none, all managers.
"""

ENDING = f"""
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o join cases k on k.id = o.subject_id
left join agent h on h.id = k.agent_id and h.ended_at is null
join credential c on c.agent_id = h.id or (h.id is null and c.agent_id = any({_MANAGERS}))
"""  # noqa: S608
"""The agent to whom the case is assigned; if it is assigned to nobody, the managers of its department (`_MANAGERS`)."""

OVERDUE = f"""
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o join cases k on k.id = o.subject_id
left join agent h on h.id = k.agent_id and h.ended_at is null
join credential c on c.agent_id = h.id or c.agent_id = any({_MANAGERS})
"""  # noqa: S608
"""The agent to whom the case is assigned, and the managers of the department (`_MANAGERS`)."""

RATED = f"""
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join case_event e on e.id = o.record_id and e.kind = 'rated' and e.details ->> 'to' = 'bad'
join cases k on k.id = o.subject_id left join agent h on h.id = k.agent_id and h.ended_at is null
join credential c on c.agent_id = h.id or c.agent_id = any({_MANAGERS})
"""  # noqa: S608
"""For a bad rating only: the agent to whom the case is assigned, and the managers of the department (`_MANAGERS`)."""

REJECTED = """
select c.id as credential_id, min(r.id) as record_id, min(r.entry_id) as subject_id, o.actor_id, o.at
from (select distinct t.actor_id, t.at, n.decision
      from told t join credential a on a.id = t.actor_id join rejection n on n.rejected_by_id = a.agent_id and n.rejected_at = t.at) o
join rejection r on r.decision = o.decision join time_entry e on e.id = r.entry_id join credential c on c.agent_id = e.agent_id
group by c.id, o.decision, o.actor_id, o.at
"""
"""The authors of the entries that were rejected in one decision. Each gets one notice, whatever the number of entries.

The decision is found by who made it and when, because the rejection in the outbox row may be undone already.
"""

FLAGGED = """
select c.id as credential_id, min(f.id) as record_id, min(f.entry_id) as subject_id, o.actor_id, o.at
from (select distinct t.actor_id, t.at, n.decision from told t join flag n on n.id = t.record_id) o
join flag f on f.decision = o.decision join time_entry e on e.id = f.entry_id join credential c on c.agent_id = e.agent_id
group by c.id, o.decision, o.actor_id, o.at
"""
"""The authors of the entries that were flagged in one decision. Each gets one notice, whatever the number of entries."""

ANSWERED = """
select c.id as credential_id, o.record_id, f.entry_id as subject_id, o.actor_id, o.at
from told o join flag f on f.id = o.record_id join credential c on c.agent_id = f.flagged_by_id
"""
"""The manager who flagged the entry, whose question is answered."""

CHANGED = """
select c.id as credential_id, o.record_id, v.entry_id as subject_id, o.actor_id, o.at
from told o join entry_version v on v.id = o.record_id join credential c on c.agent_id = o.agent_id
"""
"""The agent whose time entry was logged, changed or deleted."""

PAID = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join payment p on p.id = o.record_id and p.taken_back_at is null
join contact t on t.customer_id = o.customer_id and t.sees_invoices join credential c on c.contact_id = t.id
"""
"""The contacts of the customer who may see its invoices, unless the payment was cancelled in the meantime."""

ASKED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join entry_question q on q.id = o.record_id and q.ended_at is null
join agent a on a.grade <> 'agent' and a.ended_at is null join credential c on c.agent_id = a.id
"""
"""All managers and admins, because all of them may bill, unless the question was answered in the meantime."""

RENEWED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o
cross join lateral (
  select array_agg(distinct a.id) as ids from service s join service_designation d on d.service_id = s.id
  join agent a on a.id = d.agent_id and a.grade = 'manager' and a.ended_at is null where s.contract_id = o.subject_id
) named
join agent a on a.grade <> 'agent' and a.ended_at is null and (named.ids is null or a.id = any(named.ids))
join credential c on c.agent_id = a.id
"""
"""The managers who are designated for a service of the contract; if there are none, all managers and admins."""

ISSUED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join contact t on t.customer_id = o.customer_id and t.sees_invoices join credential c on c.contact_id = t.id
"""
"""The contacts of the customer who may see its invoices and statements."""
