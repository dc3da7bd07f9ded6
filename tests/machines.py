"""Run state machines of Hypothesis whose rules work on the database, each step in a transaction of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from portal import database
from portal.database import transaction
from portal.errors import Refusal
from tests.conftest import tidy
from tests.examples import ALL


class DatabaseMachine(RuleBasedStateMachine):
    """A state machine on the database `dsn`. `EMPTYING` is the SQL that deletes what an earlier example has stored."""

    EMPTYING: ClassVar[str]
    loop: ClassVar[asyncio.AbstractEventLoop]
    dsn: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.run(self._empty())

    async def _empty(self) -> None:
        owner = await asyncpg.connect(self.dsn)
        await owner.execute(f"set client_min_messages = error; {self.EMPTYING}")
        await owner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run the coroutine to its end, and return its result."""
        return self.loop.run_until_complete(work)

    def attempt(self, by: Any, verb: Callable[[], Awaitable[Any]]) -> Any:
        """Await `verb()` in a transaction of `by`, and return its result, or the exception if it is refused."""

        async def attempted() -> Any:
            try:
                async with transaction(by):
                    return await verb()
            except Refusal as refusal:
                return refusal

        return self.run(attempted())


def run_machine(
    machine: type[DatabaseMachine],
    dsn: str,
    prepare: Callable[[], Awaitable[None]] | None = None,
    *,
    examples: int,
    steps: int,
) -> None:
    """Run a state machine on a clean database: `examples` times, with up to `steps` steps each.

    `prepare` creates what all examples share. The steps are always the same, except in `./dev test --all`.
    """
    loop = machine.loop = asyncio.new_event_loop()
    machine.dsn = dsn

    async def begin() -> None:
        await tidy(dsn)
        await database.start(dsn, role="portal_app", size=2)
        if prepare is not None:
            await prepare()

    loop.run_until_complete(begin())
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=not ALL,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(database.stop())
        loop.close()
