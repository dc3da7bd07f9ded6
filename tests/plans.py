"""Protect tests that fill tables from plans that PostgreSQL made while the tables were nearly empty."""

from portal import database


async def forget_plans() -> None:
    """Let the next queries use new connections, which have no plans yet.

    A connection keeps the plans of its queries, foreign keys and triggers. A plan for a nearly empty table may read the
    whole table for each of ten thousand rows. In production, autovacuum analyzes a table that grows, which discards such
    plans; in the tests' server it is off.
    """
    await database._Server.pool.expire_connections()
