"""Forgotten time: days on which an agent worked on a case by the case log, and logged nothing there."""

from piccolo.columns import BigInt, Date, Timestamptz
from piccolo.table import Table


class ForgottenDismissal(Table, tablename="forgotten_dismissal"):
    """The agent's word that there is no time to log on a case for a day."""

    customer_id = BigInt(default=None)
    case_id = BigInt(default=None, primary_key=True)
    agent_id = BigInt(default=None)
    work_date = Date(default=None)
    dismissed_at = Timestamptz(default=None)
