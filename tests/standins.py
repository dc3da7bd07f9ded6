"""Small stand-ins for the app and the worker in tests of the process tree."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any


def create_app() -> Any:
    """Return an ASGI app that serves `/pid`, `/environment`, `/peer` and `/stream`, an event stream without end."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        bodies = {
            "/pid": str(os.getpid()),
            "/environment": os.environ.get("DATABASE_URL", "") + " " + os.environ.get("PORTAL_ENVIRONMENT", ""),
            "/peer": f"{scope['client'][0]} {scope['scheme']}",
        }
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
            await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": bodies.get(scope["path"], "well").encode()})

    return app


def broken_app() -> Any:
    raise SystemExit("the app is broken")


def steady_worker(notes: str) -> None:
    """Append the process id and the time to the file `notes` and keep running, even after SIGTERM."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _note(notes)
    time.sleep(600)


def short_worker(notes: str) -> None:
    """Append the process id and the time to the file `notes`, and exit with status 3."""
    _note(notes)
    raise SystemExit(3)


def _note(notes: str) -> None:
    with Path(notes).open("a") as file:
        file.write(f"{os.getpid()} {time.monotonic()}\n")
