"""Check what must always hold of money and time (R94): each invariant is a query or function that must find no row."""

from collections.abc import Awaitable, Callable
from typing import Any

from portal.billing.allocating.recomputing import differing, overdrawn_periods
from portal.database import current

INVARIANTS: dict[str, str | Callable[[], Awaitable[list[dict[str, Any]]]]] = {
    "the lines sum to the net": """
        select i.id, i.net, sum(l.net) from invoice i left join invoice_line l on l.invoice_id = i.id
        group by i.id having i.net <> coalesce(sum(l.net), 0) or sum(l.net) is null""",
    "a time line is the sum of its charged allocations and of what was credited, in money and in minutes": """
        select l.id from invoice_line l
        cross join lateral (
          select coalesce(sum(a.amount), 0) as amount, coalesce(sum(a.minutes), 0) as minutes
          from line_allocation b join allocation a on a.id = b.allocation_id and a.kind = 'charged' where b.line_id = l.id) live
        cross join lateral (
          select coalesce(sum(c.amount), 0) as amount, coalesce(sum(c.minutes), 0) as minutes
          from detail_row r join credited_time c on c.invoice_id = r.invoice_id and c.detail_position = r.position
          where r.invoice_id = l.invoice_id and r.line_position = l.position and r.covered_by in ('charged', 'fixed fee')) gone
        where l.kind = 'time' and (l.net <> live.amount + gone.amount or l.minutes <> live.minutes + gone.minutes)""",
    "the printed unit price is the one that all the time of a line has": """
        select l.id from invoice_line l join invoice i on i.id = l.invoice_id
        left join lateral (
          select a.hourly_rate, a.kind from line_allocation b join allocation a on a.id = b.allocation_id and a.kind = 'charged'
          where b.line_id = l.id and i.state = 'draft'
          union all
          select r.hourly_rate, 'charged' from detail_row r
          where r.invoice_id = l.invoice_id and r.line_position = l.position and i.state = 'issued' and r.covered_by in ('charged', 'fixed fee')
        ) a on true
        where l.kind = 'time' group by l.id
        having l.unit_price is distinct from case
          when min(a.hourly_rate) = max(a.hourly_rate) and count(a.hourly_rate) = count(a.kind) then min(a.hourly_rate) end""",
    "tax is that of each rate group on its sum": """
        select coalesce(g.invoice_id, v.invoice_id)
        from (select invoice_id, vat_category, vat_rate, currency, sum(net) as base from invoice_line group by 1, 2, 3, 4) g
        full join invoice_vat v on v.invoice_id = g.invoice_id and v.category = g.vat_category and v.rate = g.vat_rate
        where v.base is distinct from g.base or v.tax is distinct from round(g.base * g.vat_rate / 100, currency_digits(g.currency))""",
    "the tax is the sum of its groups, and gross is net and tax": """
        select i.id from invoice i left join invoice_vat v on v.invoice_id = i.id
        group by i.id having i.tax <> coalesce(sum(v.tax), 0) or i.gross <> i.net + i.tax""",
    "the numbers of a series are dense": """
        select s.id from number_series s
        left join (select series_id, series_number from invoice union all select series_id, series_number from credit_note) i on i.series_id = s.id
        group by s.id having count(i.series_number) <> s.next_number - s.first_number
          or min(i.series_number) <> s.first_number or max(i.series_number) <> s.next_number - 1""",
    "numbers rise with the instant of issue": """
        with numbered as (select number, series_id, series_number, issued_at, issue_date from invoice where state = 'issued'
                          union all select number, series_id, series_number, issued_at, issue_date from credit_note)
        select a.number, b.number from numbered a join numbered b on b.series_id = a.series_id and b.series_number = a.series_number + 1
        where b.issued_at < a.issued_at or b.issue_date < a.issue_date""",
    "an allocation is on at most one live line": """
        select allocation_id from line_allocation group by allocation_id having count(*) > 1""",
    "what a line sums belongs to an entry of its invoice": """
        select b.allocation_id from line_allocation b join invoice_line l on l.id = b.line_id join allocation a on a.id = b.allocation_id
        left join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
        where b.invoice_id <> l.invoice_id or d.invoice_id is distinct from b.invoice_id""",
    "every charged allocation of an invoice's entries is on one of its lines": """
        select a.id from settled_entry d join allocation a on a.entry_id = d.entry_id and a.part = d.part and a.kind = 'charged'
        left join line_allocation b on b.allocation_id = a.id
        where b.invoice_id is distinct from d.invoice_id""",
    "nothing unapproved, and nothing in another version, is on a document": """
        select d.entry_id from settled_entry d join time_entry e on e.id = d.entry_id
        left join approval p on p.entry_id = e.id and p.withdrawn_at is null and p.version = e.version
        where p.id is null or e.state <> 'approved'""",
    "an entry is approved exactly where it has a live approval of its version": """
        select e.id from time_entry e left join approval p on p.entry_id = e.id and p.withdrawn_at is null
        where (e.state = 'approved') <> (p.id is not null) or p.version <> e.version""",
    "nobody approved their own time": """
        select p.id from approval p join time_entry e on e.id = p.entry_id where p.approved_by_id = e.agent_id""",
    "the allocations of an approved entry sum to its billable minutes": """
        select e.id from time_entry e left join allocation a on a.entry_id = e.id
        where e.state = 'approved' and e.billing <> 'not_billable'
        group by e.id having e.billable_minutes <> coalesce(sum(a.minutes), 0)""",
    "time that is rounded by day counts as it was worked until it is approved": """
        select id from time_entry where rounded_by_day and state <> 'approved' and billable_minutes <> counted_minutes(stretches, actual_minutes)""",
    "only approved time has allocations": """
        select a.id from allocation a join time_entry e on e.id = a.entry_id where e.state <> 'approved' or e.billing = 'not_billable'""",
    "an allocation costs its minutes at the rate that was approved, or the fixed fee": """
        select a.id from allocation a join approval p on p.entry_id = a.entry_id and p.withdrawn_at is null join time_entry e on e.id = a.entry_id
        where a.kind in ('charged', 'held') and not (a.kind = 'held' and a.hourly_rate is null and e.stretches like '%@%') and (
          case when a.rate_source = 'schedule' and p.rate_source <> 'schedule'
            then not exists (select from regexp_split_to_table(e.stretches, ' ') part where split_part(part, '@', 2) <> ''
                             and split_part(part, '@', 2)::numeric = a.hourly_rate)
            else (a.hourly_rate, a.rate_source) is distinct from (p.hourly_rate, p.rate_source)
              and not (a.rate_source = 'schedule' and e.stretches like '%@%') end
          or a.amount is distinct from
             coalesce(round(a.minutes * a.hourly_rate / 60, currency_digits(a.currency)), round(p.fixed_fee, currency_digits(a.currency))))""",
    "what is not billable is on no document": """
        select d.entry_id from settled_entry d join time_entry e on e.id = d.entry_id where e.billing = 'not_billable'""",
    "nothing on a statement costs anything": """
        select a.id from settled_entry d join allocation a on a.entry_id = d.entry_id and a.part = d.part
        where d.statement_id is not null and (a.amount <> 0 or a.kind = 'held')""",
    "nothing flagged is settled": """
        select d.entry_id from settled_entry d join flag f on f.entry_id = d.entry_id where f.lifted_at is null""",
    "approved time of which a question is open is flagged or settled": """
        select q.id, q.entry_id from entry_question q join time_entry e on e.id = q.entry_id and e.state = 'approved'
        where q.ended_at is null and not exists (select from settled_entry d where d.entry_id = e.id)
          and not exists (select from flag f where f.entry_id = e.id and f.lifted_at is null)""",
    "the latest version of an entry says its state and version": """
        select e.id, v.state, v.version from time_entry e
        join lateral (select state, version from entry_version v where v.entry_id = e.id order by v.id desc limit 1) v on v.version is not null
        where (v.state, v.version) is distinct from (e.state, e.version)""",
    "the kept sums of time are those of the entries": """
        with kept as (
          select scope, subject_id, agent_id, billing, state, is_ready, sum(entries) as entries, sum(minutes) as minutes, sum(counts) as counts
          from time_sum group by 1, 2, 3, 4, 5, 6 having (sum(entries), sum(minutes), sum(counts)) <> (0, 0, 0)
        ), found as (
          select s.scope, s.subject_id, e.agent_id, e.billing, e.state,
            e.state = 'draft' or (e.state = 'rejected' and e.rejected_version is distinct from e.version), count(*), sum(e.actual_minutes),
            sum(e.billable_minutes)
          from time_entry e cross join lateral (values ('case', e.case_id), ('agent', e.agent_id), ('service', e.service_id),
            ('project', e.project_id), ('task', e.task_id), ('appointment', e.appointment_id)) s (scope, subject_id)
          where s.subject_id is not null group by 1, 2, 3, 4, 5, 6
        )
        (table kept except table found) union all (table found except table kept)""",
    "nothing is on a merged case, and no case is merged into a merged one": """
        select e.id from time_entry e join cases c on c.id = e.case_id where c.merged_into_id is not null
        union all select m.id from message m join cases c on c.id = m.case_id where c.merged_into_id is not null
        union all select p.id from appointment p join cases c on c.id = p.case_id where c.merged_into_id is not null
        union all select t.id from timer t join cases c on c.id = t.case_id where c.merged_into_id is not null
        union all select v.case_id from case_field_value v join cases c on c.id = v.case_id where c.merged_into_id is not null
        union all select r.case_id from case_rating r join cases c on c.id = r.case_id where c.merged_into_id is not null
        union all select c.id from cases c join cases i on i.id = c.merged_into_id where i.merged_into_id is not null""",
    "what was settled on a merged case is on the case that it is part of": """
        select e.id from time_entry e join cases o on o.id = e.settled_on_id left join settled_entry d on d.entry_id = e.id
        where d.entry_id is null or o.merged_into_id is distinct from e.case_id""",
    "nothing held is settled": """
        select a.id from allocation a join settled_entry d on d.entry_id = a.entry_id and d.part = a.part where a.kind = 'held'""",
    "an entry, its case, service and invoice have one customer": """
        select e.id from time_entry e left join cases c on c.id = e.case_id left join service s on s.id = e.service_id
        left join settled_entry d on d.entry_id = e.id left join invoice i on i.id = d.invoice_id left join statement t on t.id = d.statement_id
        where e.customer_id is distinct from coalesce(c.customer_id, e.customer_id)
          or e.customer_id is distinct from coalesce(s.customer_id, e.customer_id)
          or e.customer_id is distinct from coalesce(i.customer_id, t.customer_id, e.customer_id)""",
    "a document's entries are of its contract": """
        select d.entry_id from settled_entry d join time_entry e on e.id = d.entry_id join service s on s.id = e.service_id
        left join invoice i on i.id = d.invoice_id left join statement t on t.id = d.statement_id
        where s.contract_id <> coalesce(i.contract_id, t.contract_id)""",
    "the detail of an issued invoice sums to its net": """
        select i.id from invoice i left join detail_row r on r.invoice_id = i.id
        where i.state = 'issued' group by i.id having i.net <> coalesce(sum(r.amount), 0)""",
    "the detail has a row for each allocation and each other line, until something is credited": """
        select i.id from invoice i where i.state = 'issued' and not exists (select 1 from credit_note n where n.invoice_id = i.id) and
          (select count(*) from detail_row r where r.invoice_id = i.id) <>
          (select count(*) from settled_entry d left join allocation a on a.entry_id = d.entry_id and a.part = d.part where d.invoice_id = i.id)
          + (select count(*) from invoice_line l where l.invoice_id = i.id and l.kind <> 'time')""",
    "what is issued has its files, byte for byte": """
        select i.id from invoice i left join document f on f.invoice_id = i.id
        where i.state = 'issued' group by i.id having count(f.id) <> 2 or not bool_and(f.sha256 = sha256(f.content))
        union all
        select d.id from document d join invoice i on i.id = d.invoice_id where i.state = 'draft'
        union all
        select n.id from credit_note n left join document f on f.credit_note_id = n.id
        group by n.id having count(f.id) <> 2 or not bool_and(f.sha256 = sha256(f.content))""",
    "a credit note is the sum of its lines, its tax groups and its time detail": """
        select n.id from credit_note n
        where n.gross <> n.net + n.tax or n.net is distinct from (select sum(net) from credit_line where credit_note_id = n.id)
          or n.tax is distinct from (select sum(tax) from credit_vat where credit_note_id = n.id)
          or n.net is distinct from (select sum(amount) from detail_row where credit_note_id = n.id)""",
    "the credit notes of an invoice credit at most the invoice": """
        select i.id from invoice i join credit_note n on n.invoice_id = i.id
        group by i.id having sum(n.net) > i.net or sum(n.tax) > i.tax or sum(n.gross) > i.gross""",
    "credit notes lower what is to be paid of an invoice by what one credit note for all would": """
        select i.id from invoice i join credit_note n on n.invoice_id = i.id
        group by i.id having i.payable - sum(n.payable) <> cash_amount(i.gross - sum(n.gross), i.cash_rounding)""",
    "an invoice still settles its time, except for the minutes that credit notes freed": """
        select r.invoice_id, r.entry_id
        from (select r.invoice_id, r.entry_id, sum(r.minutes) as minutes from detail_row r
              where r.invoice_id is not null and r.entry_id is not null group by 1, 2) r
        left join lateral (select sum(minutes) as minutes from credited_time c
                           where c.invoice_id = r.invoice_id and c.entry_id = r.entry_id and c.freed) freed on true
        left join lateral (select sum(a.minutes) as minutes from settled_entry d join allocation a on a.entry_id = d.entry_id and a.part = d.part
                           where d.invoice_id = r.invoice_id and d.entry_id = r.entry_id) live on true
        where r.minutes <> coalesce(freed.minutes, 0) + coalesce(live.minutes, 0)""",
    "a statement still settles its time, except for the minutes that corrections freed": """
        select r.statement_id, r.entry_id
        from (select r.statement_id, r.entry_id, sum(r.minutes) as minutes from detail_row r join statement s on s.id = r.statement_id
              where s.corrects_id is null group by 1, 2) r
        left join lateral (select sum(minutes) as minutes from corrected_time c
                           where c.corrects_id = r.statement_id and c.entry_id = r.entry_id and c.freed) freed on true
        left join lateral (select sum(a.minutes) as minutes from settled_entry d join allocation a on a.entry_id = d.entry_id and a.part = d.part
                           where d.statement_id = r.statement_id and d.entry_id = r.entry_id) live on true
        where r.minutes <> coalesce(freed.minutes, 0) + coalesce(live.minutes, 0)""",
    "what is open of an entry that is settled in part is what no document settles": """
        with kept as (select entry_id, part, minutes from reopened_entry), found as (
          select e.id, max(d.part) + 1, e.billable_minutes - coalesce(sum(a.minutes), 0)::int
          from settled_entry d join time_entry e on e.id = d.entry_id
          left join lateral (select sum(minutes) as minutes from allocation where entry_id = d.entry_id and part = d.part) a on true
          group by e.id having e.billable_minutes > coalesce(sum(a.minutes), 0)
        )
        (table kept except table found) union all (table found except table kept)""",
    "no more was paid back than was received": """
        select invoice_id from payment where taken_back_at is null group by invoice_id having sum(amount) < 0""",
    "each fee is on one line of the invoice that billed it": """
        select coalesce(l.invoice_id, b.invoice_id) as invoice, coalesce(l.service_id, b.service_id) as service,
          coalesce(l.active_from, b.active_from) as since
        from (select * from invoice_line l where kind = 'fee' and not exists (
                select 1 from credit_line c where c.invoice_id = l.invoice_id and c.line_position = l.position
                  and (c.freed or c.unused_from <= l.active_from))) l
        full join (select * from billed_fee where invoice_id is not null) b
          on (b.invoice_id, b.service_id, b.period_start, b.active_from) = (l.invoice_id, l.service_id, l.period_start, l.active_from)
        where b.service_id is null or l.id is null
        union all
        select invoice_id, service_id, active_from from invoice_line where kind = 'fee' group by 1, 2, 3 having count(*) > 1""",
    "a fee is billed for the days of its line, up to those that a credit for an ended contract gave back": """
        select l.invoice_id, l.service_id, l.active_from
        from invoice_line l join billed_fee b
          on (b.invoice_id, b.service_id, b.period_start, b.active_from) = (l.invoice_id, l.service_id, l.period_start, l.active_from)
        where b.active_until <> least(l.active_to + 1, (
          select min(unused_from) from credit_line c where c.invoice_id = l.invoice_id and c.line_position = l.position))""",
    "each sale of a voucher is on one line of the invoice that billed it": """
        select coalesce(l.invoice_id, b.invoice_id) as invoice, coalesce(l.voucher_id, b.voucher_id) as voucher
        from (select * from invoice_line l where kind = 'voucher' and not exists (
                select 1 from credit_line c where c.freed and c.invoice_id = l.invoice_id and c.line_position = l.position)) l
        full join (select * from billed_voucher where invoice_id is not null) b
          on (b.invoice_id, b.voucher_id) = (l.invoice_id, l.voucher_id)
        where b.voucher_id is null or l.id is null
        union all
        select invoice_id, voucher_id from invoice_line where kind = 'voucher' group by 1, 2 having count(*) > 1""",
    "what a document bills is of its contract": """
        select b.invoice_id, b.service_id from billed_fee b join service s on s.id = b.service_id join invoice i on i.id = b.invoice_id
        where i.contract_id <> s.contract_id
        union all
        select b.invoice_id, x.service_id from billed_voucher b join voucher_service x on x.voucher_id = b.voucher_id and x.position = 0
        join service s on s.id = x.service_id join invoice i on i.id = b.invoice_id where i.contract_id <> s.contract_id""",
    "the ledger of a voucher never goes below 0, nor above its minutes": """
        select id from (select m.id, v.minutes, v.minutes - sum(m.minutes) over (partition by v.id order by m.id) as left_then
                        from voucher_move m join voucher v on v.id = m.voucher_id) moves
        where left_then < 0 or left_then > minutes""",
    "the ledger of a voucher is what settled time draws from it": """
        select coalesce(m.voucher_id, a.voucher_id) as voucher, coalesce(m.entry_id, a.entry_id) as entry
        from (select voucher_id, entry_id, sum(minutes) as minutes from voucher_move group by 1, 2 having sum(minutes) <> 0) m
        full join (select a.voucher_id, a.entry_id, sum(a.minutes) as minutes
                   from allocation a join settled_entry d on d.entry_id = a.entry_id and d.part = a.part
                   where a.voucher_id is not null group by 1, 2) a on (a.voucher_id, a.entry_id) = (m.voucher_id, m.entry_id)
        where m.minutes is distinct from a.minutes""",
    "a voucher pays for no more than its minutes": """
        select v.id from voucher v join allocation a on a.voucher_id = v.id group by v.id having sum(a.minutes) > v.minutes - v.credited_minutes""",
    "a voucher pays only for the days and services that it is for": """
        select a.id from allocation a join voucher v on v.id = a.voucher_id join time_entry e on e.id = a.entry_id
        where e.work_date < v.valid_from or e.work_date >= v.end_on or e.customer_id <> v.customer_id
          or not exists (select 1 from voucher_service x where x.voucher_id = v.id and x.service_id = e.service_id)""",
    "a voucher is for services, all with or all without VAT": """
        select v.id from voucher v left join voucher_service x on x.voucher_id = v.id left join service s on s.id = x.service_id
        group by v.id having count(s.id) = 0 or count(distinct s.taxable) > 1 or bool_or(s.settlement = 'time_spent')""",
    "released time is not held": """
        select a.id from allocation a join release r on r.entry_id = a.entry_id where a.kind = 'held'""",
    "the allocations of open time are those that the engine computes": differing,
    "settled time draws no more than the included minutes of a period": overdrawn_periods,
}
"""The checks by name. The name says what holds if the check, a query or a function, finds no row."""


async def violations() -> dict[str, list[str]]:
    """Run all checks, and return the names of the invariants that do not hold, each with the rows that violate it.

    Return an empty dictionary if all hold.
    """
    broken = {}
    for sentence, check in INVARIANTS.items():
        if rows := await current().fetch(check) if isinstance(check, str) else await check():
            broken[sentence] = [", ".join(f"{name} {value}" for name, value in row.items()) for row in rows]
    return broken
