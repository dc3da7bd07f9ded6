"""Check what must always hold of money and time (R94): each invariant is a query that must return no row.

Two invariants cannot be checked before the database stores vouchers: that no voucher is overdrawn, and that a voucher
pays only for time of its own customer.
"""

from portal.database import current

INVARIANTS: dict[str, str] = {
    "the lines sum to the net": """
        select i.id, i.net, sum(l.net) from invoice i left join invoice_line l on l.invoice_id = i.id
        group by i.id having i.net <> coalesce(sum(l.net), 0) or sum(l.net) is null""",
    "a time line is the sum of its charged allocations, in money and in minutes": """
        select l.id from invoice_line l
        left join line_allocation b on b.line_id = l.id left join allocation a on a.id = b.allocation_id and a.kind = 'charged'
        where l.kind = 'time' group by l.id having l.net <> coalesce(sum(a.amount), 0) or l.minutes <> coalesce(sum(a.minutes), 0)""",
    "the printed unit price is the one that all of a line's allocations have": """
        select l.id from invoice_line l
        left join line_allocation b on b.line_id = l.id left join allocation a on a.id = b.allocation_id and a.kind = 'charged'
        where l.kind = 'time' group by l.id
        having l.unit_price is distinct from case when min(a.hourly_rate) = max(a.hourly_rate) then min(a.hourly_rate) end""",
    "tax is that of each rate group on its sum": """
        select coalesce(g.invoice_id, v.invoice_id)
        from (select invoice_id, vat_category, vat_rate, currency, sum(net) as base from invoice_line group by 1, 2, 3, 4) g
        full join invoice_vat v on v.invoice_id = g.invoice_id and v.category = g.vat_category and v.rate = g.vat_rate
        where v.base is distinct from g.base or v.tax is distinct from round(g.base * g.vat_rate / 100, currency_digits(g.currency))""",
    "the tax is the sum of its groups, and gross is net and tax": """
        select i.id from invoice i left join invoice_vat v on v.invoice_id = i.id
        group by i.id having i.tax <> coalesce(sum(v.tax), 0) or i.gross <> i.net + i.tax""",
    "the numbers of a series are dense": """
        select s.id from number_series s left join invoice i on i.series_id = s.id
        group by s.id having count(i.id) <> s.next_number - s.first_number
          or min(i.series_number) <> s.first_number or max(i.series_number) <> s.next_number - 1""",
    "numbers rise with the instant of issue": """
        select a.number, b.number from invoice a join invoice b on b.series_id = a.series_id and b.series_number = a.series_number + 1
        where b.issued_at < a.issued_at or b.issue_date < a.issue_date""",
    "an allocation is on at most one live line": """
        select allocation_id from line_allocation group by allocation_id having count(*) > 1""",
    "what a line sums belongs to an entry of its invoice": """
        select b.allocation_id from line_allocation b join invoice_line l on l.id = b.line_id join allocation a on a.id = b.allocation_id
        left join settled_entry d on d.entry_id = a.entry_id
        where b.invoice_id <> l.invoice_id or d.invoice_id is distinct from b.invoice_id""",
    "every charged allocation of an invoice's entries is on one of its lines": """
        select a.id from settled_entry d join allocation a on a.entry_id = d.entry_id and a.kind = 'charged'
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
    "only approved time has allocations": """
        select a.id from allocation a join time_entry e on e.id = a.entry_id where e.state <> 'approved' or e.billing = 'not_billable'""",
    "an allocation costs its minutes at the rate that was approved": """
        select a.id from allocation a join approval p on p.entry_id = a.entry_id and p.withdrawn_at is null
        where a.kind in ('charged', 'held') and (a.hourly_rate <> p.hourly_rate or a.rate_source <> p.rate_source
          or a.amount <> round(a.minutes * a.hourly_rate / 60, currency_digits(a.currency)))""",
    "what is not billable is on no document": """
        select d.entry_id from settled_entry d join time_entry e on e.id = d.entry_id where e.billing = 'not_billable'""",
    "nothing on a statement costs anything": """
        select a.id from settled_entry d join allocation a on a.entry_id = d.entry_id
        where d.statement_id is not null and (a.amount <> 0 or a.kind in ('charged', 'held'))""",
    "nothing flagged is settled": """
        select d.entry_id from settled_entry d join flag f on f.entry_id = d.entry_id where f.lifted_at is null""",
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
    "nothing held is settled": """
        select a.id from allocation a join settled_entry d on d.entry_id = a.entry_id where a.kind = 'held'""",
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
    "the detail has a row for each allocation and each other line": """
        select i.id from invoice i where i.state = 'issued' and
          (select count(*) from detail_row r where r.invoice_id = i.id) <>
          (select count(*) from settled_entry d left join allocation a on a.entry_id = d.entry_id where d.invoice_id = i.id)
          + (select count(*) from invoice_line l where l.invoice_id = i.id and l.kind <> 'time')""",
    "what is issued has its files, byte for byte": """
        select i.id from invoice i left join document f on f.invoice_id = i.id
        where i.state = 'issued' group by i.id having count(f.id) <> 2 or not bool_and(f.sha256 = sha256(f.content))
        union all
        select d.id from document d join invoice i on i.id = d.invoice_id where i.state = 'draft'""",
}
"""The queries by name; the name says what holds if the query returns no row."""


async def violations() -> dict[str, list[str]]:
    """Run all queries, and return the names of the invariants that do not hold, each with the rows that violate it.

    Return an empty dictionary if all hold.
    """
    broken = {}
    for sentence, sql in INVARIANTS.items():
        if rows := await current().fetch(sql):
            broken[sentence] = [", ".join(f"{name} {value}" for name, value in row.items()) for row in rows]
    return broken
