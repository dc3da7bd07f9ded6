"""A process that sends one form to the portal inside of itself, and may not live to see the answer."""

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
from portal.web import gate
from portal.web.gate import Gate
from tests.browser import Browser
from tests.faults.steps import FAULT, Mode, install
from tests.forms import form_of, forms_of

with tempfile.TemporaryDirectory(prefix="portal-faults-") as _data:
    ROUTES = create_app(Settings.from_environment({"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": _data})).inner
"""Put together once, in the process that the children are forked from."""


@dataclass(frozen=True)
class Deed:
    """One form of a page, as somebody fills it in. `token`: their session's; "" for nobody's."""

    token: str
    page: str
    action: str
    typed: dict[str, Any]
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Order:
    """What the child does, and what befalls it. `history`: where it notes, on the disk, what it means to do and what it was told."""

    environment: dict[str, str]
    deed: Deed
    at: datetime
    history: Path
    mode: Mode = "killed before"
    step: int = 0
    largest_file: int = 0
    """Bytes that a file may have for this process, as on a disk that is full; 0: any number."""


def note(history: Path, **said: Any) -> None:
    """A line that is on the disk when this returns."""
    with history.open("a") as file:
        file.write(json.dumps(said) + "\n")
        file.flush()
        os.fsync(file.fileno())


def run(order: Order) -> None:
    """The whole life of the child."""
    os.environ.pop("PORTAL_TEST_DATABASE_URL", None)
    install()
    gate.now = lambda: order.at  # type: ignore[attr-defined]
    if order.largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.largest_file, order.largest_file))
    asyncio.run(_run(order))


async def _run(order: Order) -> None:
    settings = Settings.from_environment(order.environment)
    app = Gate(ROUTES, settings, open_storage(settings.storage_url))
    await database.start(str(settings.app_url), role=settings.app_role, size=4)
    deed = order.deed
    async with Browser(app, cookies={"sid": deed.token} if deed.token else {}) as browser:
        page = await browser.get(deed.page)
        # Where the page has no such form any more, the deed is sent again from the page of before.
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
