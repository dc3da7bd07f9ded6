"""Make PDFs from the typst templates in `templates/documents`, in a separate process (`typesetter.py`)."""

import asyncio
import contextlib
import json
import math
import struct
import subprocess
import sys
import threading
from typing import Any

from portal import render
from portal.errors import Unavailable
from portal.render import letters, typesetter

SECONDS = 30.0
"""The timeout in seconds for one document. After it, the typesetting process is killed."""

_AWAY = "The document could not be made at the moment. Try again in a minute."


class _Typesetter:
    """The child process that makes documents, one at a time. It is started when the first document is requested.

    Several threads may use one object: each waits until the previous document is complete.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def make(self, template: str, data: dict[str, Any], format: str = "pdf") -> bytes:
        """Return the file that typst makes from the template and the data. `format` is `pdf` or `png`.

        Raise `Unavailable` if typst takes too long or too much memory, `RuntimeError` with typst's message if the
        template is wrong.
        """
        request = json.dumps({"template": template, "data": data, "format": format}).encode()
        with self._lock:
            # A child process that has exited because it was idle gives no answer: start another one and try again,
            # once.
            answer = self._ask(request) or self._ask(request)
        if answer is None:
            raise Unavailable(_AWAY)
        if answer[:1] != b"+":
            raise RuntimeError(answer[1:].decode())
        return answer[1:]

    def stop(self) -> None:
        """Stop the child process, if there is one."""
        with self._lock:
            self._drop()

    def _ask(self, request: bytes) -> bytes | None:
        """Send one request to the child process and return its answer.

        Return None if the child process has exited, or if it took longer than `SECONDS` and was killed.
        """
        child = self._running()
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the typesetter was started without pipes")
        watchdog = threading.Timer(SECONDS, child.kill)
        watchdog.start()
        try:
            typesetter.send(child.stdin, request)  # type: ignore[arg-type]
            answer = typesetter.receive(child.stdout)  # type: ignore[arg-type]
        except BrokenPipeError:
            answer = None
        finally:
            watchdog.cancel()
        if answer is None:
            self._drop()
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        """Return the child process. Start one if none is running."""
        if self._child is None or self._child.poll() is not None:
            self._drop()
            templates, fonts = render.folder("templates") / "documents", render.folder("static") / "vendor" / "ttf"
            self._child = subprocess.Popen(  # noqa: S603 (a fixed command of our own)
                [
                    sys.executable,
                    "-I",
                    typesetter.__file__,
                    str(templates),
                    str(fonts),
                ],  # The child process runs in Python's isolated mode (`-I`), because it imports nothing of the portal.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={"LC_ALL": "C.UTF-8"},  # It needs none of our secrets.
            )
        return self._child

    def _drop(self) -> None:
        """Kill the child process, if there is one, and wait until it has ended."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        child.wait()


_typesetter = _Typesetter()


async def pdf(template: str, data: dict[str, Any]) -> bytes:
    """Return the template `templates/documents/<template>` filled in with `data`, as PDF/A-3.

    No text in `data` can act as markup (R64). A character that no font has is printed as a white square. Typesetting
    runs in a child process and does not block the event loop. Raise `Unavailable` if typesetting takes too long or too
    much memory, `RuntimeError` if the template is wrong.
    """
    return await asyncio.to_thread(lambda: _typesetter.make(template, letters.printable_data(data)))


MOST_LOGO_BYTES = 1_000_000
MOST_PIXELS = 40_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


async def logo(content: bytes) -> bytes:
    """Return an uploaded logo (PNG or SVG) rendered as a new PNG (R59).

    The file is rendered in a child process of its own, with limits of time and memory. The new PNG contains only what
    is visible: no script, no link, no metadata. Raise `ValueError` with an error message if the file is too large,
    cannot be rendered, or is neither PNG nor SVG.
    """
    is_png = content.startswith(_PNG)
    if not is_png and b"<svg" not in content[:4096]:
        raise ValueError("Choose a picture of the kind PNG or SVG.")
    if len(content) > MOST_LOGO_BYTES:
        raise ValueError("A logo may have at most 1 MB.")
    # The size of the image is checked before anything decodes the file: every PNG has width and height at the same
    # offset.
    if is_png and math.prod(struct.unpack(">II", content[16:24].ljust(8, b"\0"))) > MOST_PIXELS:
        raise ValueError("This picture has more than 40 million pixels.")
    typesetter = _Typesetter()
    try:
        data = {"image": list(content), "format": "png" if is_png else "svg"}
        return await asyncio.to_thread(typesetter.make, "logo.typ", data, "png")
    except (RuntimeError, Unavailable):
        raise ValueError("This picture cannot be drawn. Save it as PNG and choose that file.") from None
    finally:
        await asyncio.to_thread(typesetter.stop)


def stop() -> None:
    """Stop the typesetting process, if one runs. The next document starts another one."""
    _typesetter.stop()
