"""Test that, if the worker is killed at any step of making notices, everybody still gets each notice exactly once."""

from pathlib import Path

import pytest

from portal.database import transaction
from portal.desk import Case
from portal.people.readers import SYSTEM
from tests.faults import telling
from tests.faults.children import CONTEXT
from tests.faults.steps import Mode
from tests.world import ALAN, INCIDENT, INES, NOW

pytestmark = [pytest.mark.slow, pytest.mark.infra]


def told(dsn: str, mode: Mode, step: int, said: Path) -> int | None:
    """Make the notices of the outbox in a child process with a fault.

    Return the number of the child's steps, or None if it was killed.
    """
    said.unlink(missing_ok=True)
    process = CONTEXT.Process(target=telling.run, args=(dsn, NOW, mode, step, str(said)))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -9), process.exitcode
    return int(said.read_text()) if said.exists() else None


async def counts() -> tuple[int, int]:
    """Return the number of notices, and the number of outbox rows for which no notices have been made yet."""
    async with transaction(SYSTEM) as tx:
        return tuple(
            await tx.fetchrow("select (select count(*) from notice), (select count(*) from outbox where not passed_on)")
        )


@pytest.mark.parametrize("mode", ["killed before", "killed after"])
async def test_a_killed_worker_forgets_nothing_and_tells_nothing_twice(mode: Mode, dsn: str, tmp_path: Path) -> None:
    """R76: after SIGKILL at any statement, the next worker makes each notice that is missing, exactly once."""
    expected, step = 0, 0
    while True:
        step += 1
        async with transaction(ALAN):
            case = await Case.open(by=ALAN, subject="VPN", text="It drops.", case_type_id=INCIDENT, at=NOW)
        async with transaction(INES):
            await case.reply(by=INES, text="We look.", at=NOW)
        expected += 4  # Three notices of the case to agents, and one of the reply to Alan
        steps = told(dsn, mode, step, tmp_path / "said")
        made, waiting = await counts()
        assert (made, waiting) in {(expected, 0), (expected - 4, 2)}, step
        assert told(dsn, mode, 0, tmp_path / "said")
        assert await counts() == (expected, 0), step
        if steps is not None:
            break
    assert step > 5
