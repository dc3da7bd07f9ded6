"""Test `portal verify`: it checks all invariants and names those that are broken."""

import asyncio
import os
import sys

import asyncpg
import pytest

from portal.billing import INVARIANTS
from portal.storage import open_storage
from tests.places import furnished

pytestmark = pytest.mark.slow


async def verify(dsn: str, folder: str) -> tuple[int, str, str]:
    """Run `portal verify`, and return its exit status, standard output and standard error."""
    environment = {"PORTAL_ENVIRONMENT": "test", "DATABASE_OWNER_URL": dsn, "PORTAL_DATA": folder}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "portal", "verify"),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    return process.returncode or 0, said.decode(), complained.decode()


async def test_verify_names_each_broken_invariant_and_its_rows(
    dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """R94: `portal verify` reports a planted fault by the name of the invariant and by row.

    The database would have refused these rows; the test bypasses its checks.
    """
    folder = str(tmp_path_factory.mktemp("data"))
    await furnished(open_storage(f"file://{folder}/files"))
    status, said, _ = await verify(dsn, folder)
    assert status == 0
    assert [line.split(maxsplit=1) for line in said.splitlines()] == [["0", sentence] for sentence in INVARIANTS]

    owner = await asyncpg.connect(dsn)
    await owner.execute(
        "begin; alter table invoice_line disable trigger user; update invoice_line set net = net + 1, unit_price = null;"
        " alter table invoice_line enable trigger user; commit"
    )
    lines = await owner.fetchval("select count(*) from invoice_line")
    await owner.close()
    assert lines
    status, said, complained = await verify(dsn, folder)
    assert status == 1
    assert "the lines sum to the net\n          id " in said
    assert "invariants do not hold" in complained
