"""Lock customers, so that transactions that decide on or bill the time of the same customer run one after another."""

from collections.abc import Collection

from portal.database import current


async def lock_customers(customer_ids: Collection[int]) -> None:
    """Lock the rows of these customers until the transaction ends, so that nobody else decides on or bills their time.

    Wait while another transaction holds a lock. The rows are always locked in the order of their ids, so that two
    managers cannot deadlock. Transactions that do not take these locks, such as changes to cases, do not wait.
    """
    await current().fetch(_LOCK, sorted(set(customer_ids)))


async def lock_free_customers(customer_ids: Collection[int]) -> list[int]:
    """Lock the given customers whom no other transaction has locked, and return the ids of the customers locked here.

    This is `lock_customers` without waiting: customers who are locked already are left out.
    """
    return [row["id"] for row in await current().fetch(f"{_LOCK} skip locked", sorted(set(customer_ids)))]


_LOCK = "select id from customer where id = any($1) order by id for no key update"
