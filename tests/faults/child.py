"""Run a portal in a child process that sends one form to itself and may be killed before the answer."""

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
"""The routes, built once in the process that the children are forked from."""


@dataclass(frozen=True)
class Deed:
    """Describe one form of a page with the typed values; `token` is the sender's session, "" for nobody."""

    token: str
    page: str
    action: str
    typed: dict[str, Any]
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Order:
    """Tell the child what to do and which fault to suffer; it writes its intent and the answer to `history`."""

    environment: dict[str, str]
    deed: Deed
    at: datetime
    history: Path
    mode: Mode = "killed before"
    step: int = 0
    largest_file: int = 0
    """The most bytes of a file that this process may write, as on a full disk; 0 for no limit."""


def note(history: Path, **said: Any) -> None:
    """Append a line to the history and fsync it, so that it survives a kill."""
    with history.open("a") as file:
        file.write(json.dumps(said) + "\n")
        file.flush()
        os.fsync(file.fileno())


def run(order: Order) -> None:
    """Run the child from start to end."""
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
        # The form may be gone from the page after the first try; then the same values are sent again without it.
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
