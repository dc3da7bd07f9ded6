"""Each write, killed or cut off from the database at each of its steps, leaves all of it or nothing; sent again, it is there once.

The steps are counted first; then a process of its own is forked for each of them, and dies there (security.md's loop over every n).
"""

import json
import multiprocessing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.billing import violations
from portal.database import transaction
from portal.desk import attachments
from portal.people.readers import SYSTEM
from portal.storage import open_storage
from tests.faults import child
from tests.faults.steps import Mode
from tests.faults.verbs import VERBS, Prepared, missing_files
from tests.world import NOW

pytestmark = pytest.mark.slow

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.child"])


class Yard:
    """Sends children and reads what they noted."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.environment = {"PORTAL_ENVIRONMENT": "test", "DATABASE_URL": dsn, "PORTAL_DATA": str(folder / "data")}
        (folder / "data" / "files").mkdir(parents=True, mode=0o700)
        self.storage = open_storage(f"file://{folder}/data/files")

    def send(self, prepared: Prepared, mode: Mode, step: int) -> dict[str, Any]:
        """The last line of the child's history: what it was told, or only what it meant to do."""
        self.number += 1
        history = self.folder / f"history-{self.number}"
        order = child.Order(self.environment, prepared.deed, NOW, history, mode, step)
        process = CONTEXT.Process(target=child.run, args=(order,))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -9), process.exitcode
        lines = [json.loads(line) for line in history.read_text().splitlines()]
        assert lines[0]["intent"] == prepared.deed.action
        assert len(lines) == (2 if process.exitcode == 0 else 1)
        return dict(lines[-1])

    async def strike(self, prepared: Prepared, mode: Mode, step: int) -> None:
        """Once with the fault and once without; after the first it is there or not, after the second it is there once."""
        told = self.send(prepared, mode, step)
        status, done = told.get("status"), await prepared.done()
        if status is None or status >= 500:
            assert done in (0, 1), (mode, step, told)
        else:
            assert done == (1 if status < 400 else 0), (mode, step, told)
        again = self.send(prepared, "killed before", 0)
        # Who comes second is told that it is done already, or that the link is used.
        assert again["status"] in ({303, 409, 404} if done else {303}), (mode, step, told, again)
        assert await prepared.done() == 1, (mode, step, told, again)

    async def all_is_well(self) -> None:
        """The invariants hold; each file is there; of what was interrupted nothing is left once its hour is over."""
        async with transaction(SYSTEM):
            assert await violations() == {}
        assert await missing_files(self.storage) == []
        async with transaction(SYSTEM) as tx:
            await attachments.sweep_uploads(self.storage, NOW + timedelta(hours=2))
            kept = {row["key"] for row in await tx.fetch("select key from attachment")}
        assert {path.name for path in (self.folder / "data" / "files").rglob("*") if path.is_file()} == kept


@pytest.fixture
def yard(dsn: str, tmp_path: Path) -> Yard:
    return Yard(dsn, tmp_path)


async def steps_of(yard: Yard, verb: str) -> int:
    """How many steps the verb has."""
    told = yard.send(await VERBS[verb](), "killed before", 0)
    assert told["status"] == 303, told
    assert told["steps"] > 5
    return int(told["steps"])


@pytest.mark.parametrize("verb", VERBS)
async def test_a_write_that_is_killed_is_there_wholly_or_not_at_all(yard: Yard, verb: str) -> None:
    """R60, R93, R94: at its first step, in its middle, and around its commit."""
    last = await steps_of(yard, verb)
    for step in sorted({1, last // 2, last - 1, last}):
        await yard.strike(await VERBS[verb](), "killed before", step)
    await yard.strike(await VERBS[verb](), "killed after", last)
    await yard.all_is_well()


@pytest.mark.long
@pytest.mark.parametrize("mode", ["killed before", "killed after", "connection lost before", "connection lost after"])
@pytest.mark.parametrize("verb", VERBS)
async def test_every_step_of_every_write(yard: Yard, verb: str, mode: Mode) -> None:
    """R60, R84, R93, R94."""
    for step in range(1, await steps_of(yard, verb) + 1):
        await yard.strike(await VERBS[verb](), mode, step)
    await yard.all_is_well()


@pytest.mark.parametrize("verb", ["reply with files", "approve", "issue"])
async def test_a_connection_that_is_lost_at_the_commit_is_answered_and_done_once(yard: Yard, verb: str) -> None:
    """R84: nobody knows whether it was saved; sending it again finds out."""
    last = await steps_of(yard, verb)
    for mode in ("connection lost before", "connection lost after"):
        for step in (last - 1, last):
            await yard.strike(await VERBS[verb](), mode, step)  # type: ignore[arg-type]
    await yard.all_is_well()
