"""Type-ahead search of contracts, projects and tasks for filters.

Contracts of customers that have ended, projects that are done and tasks that have ended come last.
"""

from portal.contracts.naming import shown_contract, shown_service
from portal.database.finder import Finder

CONTRACTS = Finder(
    "contract",
    f"select k.id, {shown_contract('k')} as name, u.name as about, u.ended_at is not null as is_last"
    " from contract k join customer u on u.id = k.customer_id",
)
PROJECTS = Finder(
    "project",
    "select j.id, j.name, u.name as about, j.state = 'done' as is_last from project j join customer u on u.id = j.customer_id",
)
TASKS = Finder(
    "task",
    f"select t.id, t.name, u.name || ', ' || {shown_service('t.service_id')} as about, t.ended_at is not null as is_last"
    " from task t join customer u on u.id = t.customer_id",
)
