"""Generate the data of the benchmark: 200 customers, 20 agents, cases of 5 messages, and a case of 10,000 messages."""

import asyncpg

CUSTOMERS, AGENTS, MESSAGES, LONG_CASE = 200, 20, 5, 10_000

GROUND = f"""
insert into company (name, legal_name, street, postcode, city, country, vat_id, email, bank_name, iban, bic, currency, time_zone) values
  ('Desk', 'Desk GmbH', 'Weg 1', '20457', 'Hamburg', 'DE', 'DE100000008', 'office@desk.example', 'Bank', 'DE02120300000000202051', 'BYLADEM1001', 'EUR', 'UTC');
insert into department (name) values ('Support');
insert into role (name) values ('Consultant');
insert into agent (name, grade, role_id, department_id, locale, time_zone, created_at)
  select 'Agent ' || n, 'agent', 1, 1, 'en_GB', 'UTC', now() from generate_series(1, {AGENTS}) n;
insert into customer (name, legal_name, street, postcode, city, country, vat_id, created_at)
  select 'Customer ' || n, 'Customer ' || n || ' GmbH', 'Weg 1', '20457', 'Hamburg', 'DE', 'DE100000016', now() from generate_series(1, {CUSTOMERS}) n;
insert into contact (customer_id, name, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at)
  select n, 'Contact ' || n, true, true, false, 'en_GB', 'UTC', now() from generate_series(1, {CUSTOMERS}) n;
insert into credential (email, agent_id, created_at) select 'agent' || n || '@desk.example', n, now() from generate_series(1, {AGENTS}) n;
insert into credential (email, customer_id, contact_id, created_at)
  select 'contact' || n || '@customer.example', n, n, now() from generate_series(1, {CUSTOMERS}) n;
insert into contract (customer_id, name, start_on, currency, payment_days, cycle, anchor, vat_rate, created_at)
  select n, 'Support', '2026-01-01', 'EUR', 14, 'monthly', '2026-01-01', 19, now() from generate_series(1, {CUSTOMERS}) n;
insert into service (customer_id, contract_id, name, settlement, rollup, taxable, effective_start, rounding_minimum, rounding_increment, rounding_mode, created_at)
  select n, n, 'Helpdesk', 'time_spent', 'service', true, '2026-01-01', 0, 15, 'up', now() from generate_series(1, {CUSTOMERS}) n;
insert into case_type (name, billable, position) values ('Incident', true, 1);
insert into default_service (customer_id, service_id) select n, n from generate_series(1, {CUSTOMERS}) n;
insert into rate (currency, hourly_rate, effective_from, role_id, created_at) values ('EUR', 95, '2026-01-01', 1, now());
"""  # noqa: S608 (our own numbers)

CASES = """
insert into cases (customer_id, contact_id, subject, case_type_id, priority, status, agent_id, department_id, service_id, opened_at, updated_at, resolved_at, closed_at)
  select 1 + n % 200, 1 + n % 200, 'The connection drops every ' || n || ' minutes', 1, 1 + n % 4,
         (array['new', 'open', 'waiting_for_customer', 'resolved', 'closed'])[1 + n % 5],
         case when n % 5 > 0 then 1 + n % 20 end, 1, 1 + n % 200,
         now() - n * interval '7 minutes' - interval '1 day', now() - n * interval '7 minutes',
         case when n % 5 > 2 then now() - n * interval '7 minutes' end, case when n % 5 = 4 then now() - n * interval '7 minutes' end
  from generate_series(1, $1::int) n;
"""
TEXT = "It worked yesterday. Since this morning nobody in Kiel can reach the server, and the log says that there is no route."
DIALOGUE = f"""
insert into message (customer_id, case_id, kind, contact_id, agent_id, author_name, text, html, at)
  select c.customer_id, c.id, 'reply', case when m % 2 = 1 then c.contact_id end, case when m % 2 = 0 then 1 + c.id % {AGENTS} end,
         case when m % 2 = 1 then 'Contact ' || c.contact_id else 'Agent ' || 1 + c.id % {AGENTS} end,
         '{TEXT}', '<p>{TEXT}</p>', c.opened_at + m * interval '1 second'
  from cases c cross join generate_series(1, $1::int) m where $2::bigint is null or c.id = $2
"""  # noqa: S608 (our own texts and numbers)


async def fill(owner_url: str, cases: int) -> dict[str, list[str]]:
    """Fill a migrated, empty database with `cases` cases.

    In the result, `case` has the numbers of 100 open cases, and `long case` the number of the case with 10,000
    messages.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(GROUND)
        await connection.execute(CASES, cases)
        await connection.execute(DIALOGUE, MESSAGES, None)
        # Take the long case from another customer than customer 2, so that no measured list contains it.
        long, *ordinary = await connection.fetch(
            "select id, number from cases where status = 'open' order by customer_id = 2, id limit 101"
        )
        await connection.execute(DIALOGUE, LONG_CASE, long["id"])
        await connection.execute("vacuum analyze")
        return {"case": [str(row["number"]) for row in ordinary], "long case": [str(long["number"])]}
    finally:
        await connection.close()
