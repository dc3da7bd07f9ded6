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
class Deed:
    """A form to send: the page that shows it, its target `action`, the typed values and the files.

    `token` is the session token of the sender, or "" for nobody.
    """

    token: str
    page: str
    action: str
    typed: dict[str, Any]
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Order:
    """What a child process does, and which fault happens in it.

    The child writes its intent and the response to the file `history`. `at` is the time by its clock. The fault `mode`
    happens at the step with the number `step`; 0 means no fault.
    """

    environment: dict[str, str]
    deed: Deed
    at: datetime
    history: Path
    mode: Mode = "killed before"
    step: int = 0
    largest_file: int = 0
    """The most bytes that the child may write to one file, as on a full disk; 0 means no limit."""


def note(history: Path, **said: Any) -> None:
    """Append a JSON line to the history and fsync it, so that it survives SIGKILL."""
    with history.open("a") as file:
        file.write(json.dumps(said) + "\n")
        file.flush()
        os.fsync(file.fileno())


def run(order: Order) -> None:
    """Send the form of this order to an app in this process, which the order's fault may kill meanwhile."""
    os.environ.pop("PORTAL_TEST_DATABASE_URL", None)
    install()
    if order.largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.largest_file, order.largest_file))
    asyncio.run(_run(order))


async def _run(order: Order) -> None:
    settings = Settings.from_environment(order.environment)
    app = Gate(ROUTES, settings, open_storage(settings.storage_url), clock=lambda: order.at)
    await database.start(str(settings.app_url), role=settings.app_role, size=4)
    deed = order.deed
    async with Browser(app, cookies={"sid": deed.token} if deed.token else {}) as browser:
        page = await browser.get(deed.page)
        # The page may not show the form any more after the first try; then the same values are sent without loading
        # it.
        offered = any(deed.action in form.targets for form in forms_of(page.text))
        fields = (form_of(page.text, deed.action).fields if offered else {"csrf": await browser.csrf()}) | deed.typed
        files = [("files", (name, content)) for name, content in deed.files] or None
        note(order.history, intent=deed.action)
        FAULT.mode, FAULT.at, FAULT.armed, FAULT.seen = order.mode, order.step, True, 0
        answer = await browser.post(deed.action, data=fields, files=files, headers={"referer": str(page.url)})
        FAULT.armed = False
        note(
            order.history,
            status=answer.status_code,
            steps=FAULT.seen,
            said=answer.text if answer.status_code >= 400 else "",
        )
    await database.stop()
