"""Run child processes that may be killed, and check afterwards that all invariants of the database hold."""

import json
import multiprocessing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from portal.billing import violations
from portal.database import transaction
from portal.desk.files import attachments
from portal.people.readers import SYSTEM
from portal.storage import open_storage
from tests.faults import child
from tests.faults.steps import Mode
from tests.faults.verbs import Prepared, missing_files
from tests.world import NOW

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["tests.faults.child", "tests.faults.mailing", "piccolo.conf.apps", "tests.faults.freeze"]
)
"""The modules of the children are imported once, before any child is forked.

Without this list, Piccolo would import `piccolo.conf.apps` in each child, at the first query.
"""


class Children:
    """Runs child processes. Each sends a form to the app on the test's database and writes a history file.

    The files of the app and the histories are in `folder`.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        self.folder, self.number = folder, 0
        self.environment = {"PORTAL_ENVIRONMENT": "test", "DATABASE_URL": dsn, "PORTAL_DATA": str(folder / "data")}
        (folder / "data" / "files").mkdir(parents=True, mode=0o700)
        self.storage = open_storage(f"file://{folder}/data/files")

    def send(
        self,
        prepared: Prepared,
        mode: Mode = "killed before",
        step: int = 0,
        *,
        at: datetime = NOW,
        largest_file: int = 0,
    ) -> dict[str, Any]:
        """Send the form from a child process in which a fault may happen, and return the last line of its history.

        That line is the response, or only the intent if the child was killed first.
        """
        self.number += 1
        history = self.folder / f"history-{self.number}"
        instructions = child.Instructions(self.environment, prepared.form, at, history, mode, step, largest_file)
        process = CONTEXT.Process(target=child.run, args=(instructions,))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -9), process.exitcode
        lines = [json.loads(line) for line in history.read_text().splitlines()]
        assert lines[0]["intent"] == prepared.form.action
        assert len(lines) == (2 if process.exitcode == 0 else 1)
        return dict(lines[-1])

    async def send_with_fault(self, prepared: Prepared, mode: Mode, step: int) -> None:
        """Send the form with the fault at `step`, then again without a fault, and delete the uploads that are left.

        Assert that the first attempt saves the form at most once, and that it is saved exactly once after the second.
        If a job of the worker has to finish the form, nothing need be saved yet when the first response arrives.
        """
        told = self.send(prepared, mode, step)
        status, done = told.get("status"), await prepared.done()
        if status is None or status >= 500 or (status < 400 and await prepared.is_left_to_a_job()):
            assert done in (0, 1), (mode, step, told)
        else:
            assert done == (1 if status < 400 else 0), (mode, step, told)
        again = self.send(prepared)
        # The second response says that the form was carried out before, or that the link has been used.
        assert again["status"] in ({303, 409, 404} if done else {303}), (mode, step, told, again)
        assert await prepared.done() == 1, (mode, step, told, again)
        await self.sweep()  # Delete the uploads, because so many within one hour would be refused (R58).

    async def sweep(self) -> None:
        """Delete all uploaded files that are in no message, as the worker does after a while."""
        async with transaction(SYSTEM):
            await attachments.sweep_uploads(self.storage, NOW + timedelta(hours=2))

    async def all_is_well(self) -> None:
        """Assert that all invariants hold, that each attachment has its complete file, and that no other file is stored.

        Uploads that are in no message are deleted first.
        """
        async with transaction(SYSTEM):
            assert await violations() == {}
        assert await missing_files(self.storage) == []
        await self.sweep()
        async with transaction(SYSTEM) as tx:
            kept = {row["key"] for row in await tx.fetch("select key from attachment")}
        assert {path.name for path in (self.folder / "data" / "files").rglob("*") if path.is_file()} == kept
