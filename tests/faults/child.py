"""Run the app in a child process and send one form to it. A fault may kill the process before the response."""

import asyncio
import json
import os
import resource
import signal
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from portal import database
from portal.app import create_app
from portal.settings import Settings
from portal.storage import open_storage
from portal.web.gate import Gate
from tests.browser import Browser
from tests.faults.steps import FAULT, Mode, install
from tests.forms import form_of, forms_of

with tempfile.TemporaryDirectory(prefix="portal-faults-") as _data:
    ROUTES = create_app(Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": _data})).inner
"""The app with its routes, built once in the parent process from which the children are forked."""


@dataclass(frozen=True)
class FormToSend:
    """A form to send: the page that shows it, its target `action`, the typed values, and the files as name and content.

    `token` is the session token of the sender, or "" for a visitor who is not signed in.
    """

    token: str
    page: str
    action: str
    typed: dict[str, Any]
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Instructions:
    """What a child process does, and which fault happens in it.

    The child configures the app by `environment` and sends `form`. It writes one line to the file `history` before it
    sends the form (the intent), and one line with the response. The clock of the app always shows `at`. The fault
    `mode` happens at the step with the number `step`; 0 means no fault.
    """

    environment: dict[str, str]
    form: FormToSend
    at: datetime
    history: Path
    mode: Mode = "killed before"
    step: int = 0
    largest_file: int = 0
    """The maximum number of bytes that the child may write to one file, as on a full disk; 0 means no limit."""


def note(history: Path, **said: Any) -> None:
    """Append a JSON line to the history and fsync it, so that it survives SIGKILL."""
    with history.open("a") as file:
        file.write(json.dumps(said) + "\n")
        file.flush()
        os.fsync(file.fileno())


def run(instructions: Instructions) -> None:
    """Send the form to an app in this process, which the fault may kill before the response.

    Wrap the database driver and the file storage, and limit the size of files if `instructions` says so. Write the
    intent and the response to the history.
    """
    os.environ.pop("PORTAL_TEST_DATABASE_URL", None)
    install()
    if instructions.largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (instructions.largest_file, instructions.largest_file))
    asyncio.run(_run(instructions))


async def _run(instructions: Instructions) -> None:
    settings = Settings.from_environment(instructions.environment)
    app = Gate(ROUTES, settings, open_storage(settings.storage_url), clock=lambda: instructions.at)
    await database.start(str(settings.app_url), role=settings.app_role, size=4)
    form = instructions.form
    async with Browser(app, cookies={"sid": form.token} if form.token else {}) as browser:
        page = await browser.get(form.page)
        # After the first try, the page may no longer show the form. Then the same values are sent without the form.
        offered = any(form.action in shown.targets for shown in forms_of(page.text))
        fields = (form_of(page.text, form.action).fields if offered else {"csrf": await browser.csrf()}) | form.typed
        files = [("files", (name, content)) for name, content in form.files] or None
        note(instructions.history, intent=form.action)
        FAULT.mode, FAULT.at, FAULT.armed, FAULT.seen = instructions.mode, instructions.step, True, 0
        answer = await browser.post(form.action, data=fields, files=files, headers={"referer": str(page.url)})
        FAULT.armed = False
        note(
            instructions.history,
            status=answer.status_code,
            steps=FAULT.seen,
            said=answer.text if answer.status_code >= 400 else "",
        )
    await database.stop()
