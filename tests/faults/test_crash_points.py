"""Test that a write that is killed or loses its connection at any step is saved completely or not at all.

Sending the form again then saves it exactly once. A run without a fault counts the steps; then a child process is
forked for each step, and the fault happens at that step.
"""

import pytest

from tests.faults.children import Children
from tests.faults.steps import Mode
from tests.faults.verbs import VERBS

pytestmark = [pytest.mark.slow, pytest.mark.infra]


async def steps_of(children: Children, verb: str) -> int:
    """Prepare the form `verb`, send it without a fault, and return the number of steps that this took."""
    told = children.send(await VERBS[verb]())
    assert told["status"] == 303, told
    assert told["steps"] > 5
    return int(told["steps"])


@pytest.mark.parametrize(
    "verb", ["reply with files", "take a reply back", "approve", "run the billing", "issue", "pay", "credit"]
)
async def test_a_write_that_is_killed_is_there_wholly_or_not_at_all(children: Children, verb: str) -> None:
    """R60, R93, R94: a write that is killed halfway, or around its commit, is saved completely or not at all."""
    last = await steps_of(children, verb)
    for step in sorted({last // 2, last}):
        await children.send_with_fault(await VERBS[verb](), "killed before", step)
    await children.send_with_fault(await VERBS[verb](), "killed after", last)
    await children.all_is_well()


@pytest.mark.long
@pytest.mark.parametrize("mode", ["killed before", "killed after", "connection lost before", "connection lost after"])
@pytest.mark.parametrize("verb", VERBS)
async def test_every_step_of_every_write(children: Children, verb: str, mode: Mode) -> None:
    """R60, R84, R93, R94: a write that is killed or disconnected at any step is saved completely or not at all."""
    for step in range(1, await steps_of(children, verb) + 1):
        await children.send_with_fault(await VERBS[verb](), mode, step)
    await children.all_is_well()


@pytest.mark.parametrize("verb", ["approve"])
async def test_a_connection_that_is_lost_at_the_commit_is_answered_and_done_once(children: Children, verb: str) -> None:
    """R84: if the connection is lost at the commit, the sender gets a response, and sending again saves exactly once.

    The portal cannot know then whether the commit succeeded.
    """
    last = await steps_of(children, verb)
    for mode in ("connection lost before", "connection lost after"):
        await children.send_with_fault(await VERBS[verb](), mode, last)  # type: ignore[arg-type]
    await children.all_is_well()
