"""Serve the floor with which benchmarks compare pages: the least that a page can cost.

A bare Litestar handler sends one SQL query and renders a plain Jinja template.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from jinja2 import Environment
from litestar import Litestar, Response, get

ROWS = """
select c.number, c.subject, c.status, c.priority, c.updated_at, cu.name as customer, a.name as agent, t.name as type
from cases c join customer cu on cu.id = c.customer_id join case_type t on t.id = c.case_type_id left join agent a on a.id = c.agent_id
order by c.updated_at desc, c.id desc limit $1
"""
PAGE = Environment(autoescape=True).from_string(
    "<!doctype html><title>Floor</title><table>{% for row in rows %}<tr><td>{{ row.number }}<td>{{ row.subject }}<td>{{ row.customer }}"
    "<td>{{ row.agent }}<td>{{ row.type }}<td>{{ row.status }}<td>{{ row.priority }}<td>{{ row.updated_at }}{% endfor %}</table>"
)


@get("/floor/{rows:int}/{octets:int}")
async def floor(rows: int, octets: int) -> Response[str]:
    """Return a page of `octets` bytes that shows `rows` database rows. With 0 rows, no query is sent."""
    found = [dict(row) for row in await _Pool.pool.fetch(ROWS, rows)] if rows else []
    bare = PAGE.render(rows=found)
    html = bare + "x" * (octets - len(bare))
    return Response(html, media_type="text/html")


@get("/health")
async def health() -> str:
    """Return "ok". The benchmark requests this until the server is up."""
    return "ok"


class _Pool:
    pool: asyncpg.Pool


@asynccontextmanager
async def _connected(_: Litestar) -> AsyncIterator[None]:
    _Pool.pool = await asyncpg.create_pool(os.environ["FLOOR_DATABASE_URL"], min_size=4, max_size=10)
    yield
    await _Pool.pool.close()


def create_app() -> Litestar:
    """Return the ASGI app that serves the floor page."""
    return Litestar([floor, health], lifespan=[_connected], openapi_config=None)
