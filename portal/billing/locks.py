"""Serialise everything that decides on the time of a customer or bills it."""

from collections.abc import Collection

from portal.database import current


async def lock_customers(customer_ids: Collection[int]) -> None:
    """Lock the rows of these customers until the transaction ends, so that nobody else decides on or bills their time.

    Wait while another transaction holds a lock. The rows are always locked in the order of their ids, so that two
    managers cannot deadlock. Transactions that do not take these locks, such as changes to cases, do not wait.
    """
    await current().fetch(
        "select id from customer where id = any($1) order by id for no key update", sorted(set(customer_ids))
    )
