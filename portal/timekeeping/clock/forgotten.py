"""Forgotten time: days on which an agent worked on a case, as the case's log shows, and logged no time there."""

from piccolo.columns import BigInt, Date, Timestamptz
from piccolo.table import Table


class ForgottenDismissal(Table, tablename="forgotten_dismissal"):
    """An agent's statement that there is no time to log on a case for a day, so that the agent is not reminded again."""

    customer_id = BigInt(default=None)
    case_id = BigInt(default=None, primary_key=True)
    agent_id = BigInt(default=None)
    work_date = Date(default=None)
    dismissed_at = Timestamptz(default=None)
