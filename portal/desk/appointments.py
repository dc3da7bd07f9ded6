"""Appointments: planned visits, calls and remote sessions on a case (S1.11)."""

from piccolo.columns import UUID, BigInt, BigSerial, Integer, Text, Timestamptz
from piccolo.table import Table


class Appointment(Table, tablename="appointment"):
    """One appointment at which an agent visits, calls or connects to a customer because of a case.

    `done_at` is the instant at which it was marked as done, or None.
    """

    id: BigSerial = BigSerial(primary_key=True)
    customer_id = BigInt(default=None)
    case_id = BigInt(default=None)
    agent_id = BigInt(default=None)
    kind = Text(default=None)
    starts_at = Timestamptz(default=None)
    ends_at = Timestamptz(default=None)
    note = Text(default=None)
    done_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
    cancelled_at = Timestamptz(null=True, default=None)
    form_key = UUID(null=True, default=None)
    version = Integer(default=1)
