"""Find out who is told of a row of the outbox: one SQL query for each kind of notice.

Each query reads `told`, the rows of the outbox that are passed on, and returns one row for each person: `credential_id`,
`record_id` and `subject_id` of the notice, and `actor_id` and `at` of the outbox row. Whoever did it, and whoever has no
access any more, is left out afterwards (`portal.notices.passing`).
"""

OPENED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o join cases k on k.id = o.subject_id
left join agent h on h.id = k.agent_id and h.ended_at is null
join credential c on c.contact_id = k.contact_id or c.agent_id = h.id or (h.id is null and c.agent_id is not null)
"""
"""The contact of the case and the agent who has it; all agents if nobody has it."""

REPLIED = OPENED

ASSIGNED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at from told o join credential c on c.agent_id = o.agent_id
"""
"""The agent who got the case."""

MENTIONED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join mention m on m.message_id = o.record_id join credential c on c.agent_id = m.agent_id
"""
"""The agents whom the note names."""

MOVED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join cases k on k.id = o.subject_id join case_event e on e.id = o.record_id
join credential c on c.contact_id = k.contact_id or (c.agent_id = k.agent_id and e.contact_id is not null)
where o.at > k.opened_at
  and (e.details ->> 'to' in ('resolved', 'closed', 'waiting_for_customer') or e.details ->> 'from' in ('resolved', 'closed'))
"""
"""The contact of the case if it is resolved, closed, open again or waits for them; its agent if a contact did that.

A status that a case gets in the same step in which it is opened is left out, because a notice tells of that already.
"""

REJECTED = """
select c.id as credential_id, min(r.id) as record_id, min(r.entry_id) as subject_id, o.actor_id, o.at
from (select distinct t.actor_id, t.at, n.decision from told t join rejection n on n.id = t.record_id) o
join rejection r on r.decision = o.decision join time_entry e on e.id = r.entry_id join credential c on c.agent_id = e.agent_id
group by c.id, o.decision, o.actor_id, o.at
"""
"""The authors of the entries that were rejected in one decision. Each gets one notice, however many entries they are."""

FLAGGED = """
select c.id as credential_id, min(f.id) as record_id, min(f.entry_id) as subject_id, o.actor_id, o.at
from (select distinct t.actor_id, t.at, n.decision from told t join flag n on n.id = t.record_id) o
join flag f on f.decision = o.decision join time_entry e on e.id = f.entry_id join credential c on c.agent_id = e.agent_id
group by c.id, o.decision, o.actor_id, o.at
"""
"""The authors of the entries that were flagged in one decision. Each gets one notice, however many entries they are."""

ANSWERED = """
select c.id as credential_id, o.record_id, f.entry_id as subject_id, o.actor_id, o.at
from told o join flag f on f.id = o.record_id join credential c on c.agent_id = f.flagged_by_id
"""
"""The manager who asked."""

CHANGED = """
select c.id as credential_id, o.record_id, v.entry_id as subject_id, o.actor_id, o.at
from told o join entry_version v on v.id = o.record_id join credential c on c.agent_id = o.agent_id
"""
"""The author of the entry."""

ISSUED = """
select c.id as credential_id, o.record_id, o.subject_id, o.actor_id, o.at
from told o join contact t on t.customer_id = o.customer_id and t.sees_invoices join credential c on c.contact_id = t.id
"""
"""The contacts of the customer who may see its invoices."""
