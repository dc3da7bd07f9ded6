"""The people and customers of the tests as rows: company, contracts, agents and rates.

After the SQL of `cast_rows()` has run, ADA, ALAN, GIL, INES, MAX and NOOR can be used as readers, because their ids are
fixed.
"""

from datetime import UTC, datetime
from functools import cache

from argon2 import PasswordHasher

from portal.people.readers import AgentReader, ContactReader

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
"""Friday, 11:00 in Berlin: the current instant in most tests."""

PASSWORD = "correct horse battery staple"
TEST_SECRET = "a secret of the tests, 32 characters at least"
"""The value of `PORTAL_SECRET` in most tests. The portal signs links in mails with it."""

ACME, GLOBEX = 1, 2
INCIDENT, QUESTION, INTERNAL = 1, 2, 3
"""The ids of the case types. Work on the first two is billable, work on the third is not."""
SUPPORT, MOVE = 1, 2
"""The ids of the departments. Ines, Max and Noor are in Support, and Max approves the time of Support."""
SENIOR, CONSULTANT = 1, 2
"""The ids of the billing roles, whose rates are 120.00 and 95.00 EUR an hour from 2026-01-01 on."""
ACME_CONTRACT, GLOBEX_CONTRACT = 1, 2
HELPDESK, GLOBEX_HELPDESK = 1, 2
"""The ids of the default services of Acme and Globex.

Both are paid by time spent, with one invoice line for each service, and round time up to a multiple of 15 minutes.
"""

INES = AgentReader(
    id=1,
    credential_id=1,
    name="Ines Okafor",
    email="ines@desk.example",
    grade="agent",
    locale="en_GB",
    time_zone="Europe/Berlin",
)
MAX = AgentReader(
    id=2,
    credential_id=2,
    name="Max Herrmann",
    email="max@desk.example",
    grade="manager",
    locale="en_GB",
    time_zone="Europe/Berlin",
)
NOOR = AgentReader(
    id=3,
    credential_id=3,
    name="Noor Haddad",
    email="noor@desk.example",
    grade="admin",
    locale="en_GB",
    time_zone="Europe/Berlin",
)
ADA = ContactReader(
    id=1, credential_id=4, customer_id=ACME, customer_name="Acme", name="Ada Lindqvist", email="ada@acme.example",
    locale="en_GB", time_zone="Europe/Berlin", sees_all_cases=True, sees_invoices=True, manages_contacts=True,
)  # fmt: skip
ALAN = ContactReader(
    id=2, credential_id=5, customer_id=ACME, customer_name="Acme", name="Alan Weber", email="alan@acme.example",
    locale="en_GB", time_zone="Europe/Berlin", sees_all_cases=False, sees_invoices=False, manages_contacts=False,
)  # fmt: skip
GIL = ContactReader(
    id=3, credential_id=6, customer_id=GLOBEX, customer_name="Globex", name="Gil Moreau", email="gil@globex.example",
    locale="en_GB", time_zone="Europe/Berlin", sees_all_cases=True, sees_invoices=True, manages_contacts=True,
)  # fmt: skip

ROWS = """
insert into company (name, legal_name, street, postcode, city, country, vat_id, email, bank_name, iban, bic, currency, time_zone) values
  ('Halden IT', 'Halden IT GmbH', 'Hafenstraße 7', '20457', 'Hamburg', 'DE', 'DE100000008', 'office@desk.example',
   'Hanse Bank', 'DE02120300000000202051', 'BYLADEM1001', 'EUR', 'Europe/Berlin');
insert into number_series (kind, prefix, width, first_number, next_number) values ('invoice', '2026-', 4, 147, 147);
insert into department (name) values ('Support'), ('Projects');
insert into role (name) values ('Senior consultant'), ('Consultant');
insert into agent (name, grade, role_id, department_id, locale, time_zone, created_at) values
  ('Ines Okafor', 'agent', 1, 1, 'en_GB', 'Europe/Berlin', $now), ('Max Herrmann', 'manager', 1, 1, 'en_GB', 'Europe/Berlin', $now),
  ('Noor Haddad', 'admin', 2, 1, 'en_GB', 'Europe/Berlin', $now);
insert into designation values (1, 2);
insert into customer (name, legal_name, street, postcode, city, country, vat_id, created_at) values
  ('Acme', 'Acme GmbH', 'Speicherweg 12', '20457', 'Hamburg', 'DE', 'DE100000016', $now),
  ('Globex', 'Globex Ltd', '1 Quay Road', 'D01 X2Y3', 'Dublin', 'IE', 'IE1000001A', $now);
insert into contact (customer_id, name, phone, sees_all_cases, sees_invoices, manages_contacts, locale, time_zone, created_at) values
  (1, 'Ada Lindqvist', '+49 40 555 0148', true, true, true, 'en_GB', 'Europe/Berlin', $now),
  (1, 'Alan Weber', null, false, false, false, 'en_GB', 'Europe/Berlin', $now),
  (2, 'Gil Moreau', null, true, true, true, 'en_GB', 'Europe/Berlin', $now);
insert into credential (email, password_hash, agent_id, created_at) values
  ('ines@desk.example', $hash, 1, $now), ('max@desk.example', $hash, 2, $now), ('noor@desk.example', $hash, 3, $now);
insert into credential (email, password_hash, customer_id, contact_id, created_at) values
  ('ada@acme.example', $hash, 1, 1, $now), ('alan@acme.example', $hash, 1, 2, $now), ('gil@globex.example', $hash, 2, 3, $now);
insert into contract (customer_id, name, start_on, currency, payment_days, cycle, anchor, vat_rate, order_reference, created_at) values
  (1, 'Support 2026', '2026-01-01', 'EUR', 14, 'monthly', '2026-01-01', 19, '4500-7731', $now),
  (2, 'Helpdesk', '2026-01-01', 'EUR', 30, 'monthly', '2026-01-01', 0, null, $now);
insert into service (customer_id, contract_id, name, settlement, rollup, taxable, exemption_reason, effective_start,
                     rounding_minimum, rounding_increment, rounding_mode, created_at) values
  (1, 1, 'Helpdesk', 'time_spent', 'service', true, null, '2026-01-01', 0, 15, 'up', $now),
  (2, 2, 'Globex helpdesk', 'time_spent', 'service', true, null, '2026-01-01', 0, 15, 'up', $now);
insert into case_type (name, billable, position) values ('Incident', true, 1), ('Question', true, 2), ('Our mistake', false, 3);
insert into default_service (customer_id, service_id) values (1, 1), (2, 2);
insert into rate (currency, hourly_rate, effective_from, role_id, created_at) values
  ('EUR', 120, '2026-01-01', 1, $now), ('EUR', 95, '2026-01-01', 2, $now);
"""

STATUSES = """
insert into case_status (category, name, customer_name, position, pauses) values
  ('new', 'New', null, 1, false), ('open', 'Open', null, 2, false), ('waiting_for_customer', 'Waiting for customer', 'Waiting for you', 3, true),
  ('waiting_for_others', 'Waiting for others', null, 4, true), ('resolved', 'Resolved', null, 5, true), ('closed', 'Closed', null, 6, true);
"""
"""SQL that inserts the statuses of cases, for a database whose tables were emptied.

An older schema has no table for statuses.
"""

PRIORITIES = """
insert into case_priority (id, name, is_preselected) values (1, 'Low', false), (2, 'Normal', true), (3, 'High', false), (4, 'Urgent', false);
"""
"""SQL that inserts the priorities, for a database whose tables were emptied.

An older schema has no table for priorities.
"""

KINDS_OF_GENERAL_TIME = "insert into general_kind (name, position) values ('Meeting', 1), ('Training', 2);"
"""SQL that inserts the kinds of general time, for a database whose tables were emptied.

A database that was only migrated has kinds already, and an older schema has no table for them.
"""


@cache
def cast_rows() -> str:
    """Return the SQL with which the owner fills a migrated, empty database with these people and customers."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
    return ROWS.replace("$now", f"'{NOW.isoformat()}'").replace("$hash", f"'{hasher.hash(PASSWORD)}'")
