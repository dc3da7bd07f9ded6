"""Make documents with typst, in a separate process that sees only the templates, the fonts and the data (R64).

`python typesetter.py TEMPLATES FONTS` reads requests from standard input and writes answers to standard output. Each
message is a length of four bytes, then that many bytes. A request is JSON: `{"template": ..., "data": ..., "format":
"pdf" or "png"}`. An answer is `+` and the file, or `-` and the error. The process exits when its parent exits, and
after a minute without a request.
"""

import json
import resource
import select
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

MEMORY_BYTES = 2 << 30
"""The limit for the address space of the process, in bytes. A document of 10,000 lines needs only a part of it."""

IDLE_SECONDS = 60
PIXELS_PER_INCH = 432
"""The resolution of a PNG, in pixels per inch: fine enough to print."""
LENGTH = struct.Struct(">I")


def send(stream: BinaryIO, body: bytes) -> None:
    """Write one message to the stream: the length of `body`, then `body`."""
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Read one message from the stream and return its bytes; None if the other process has closed the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def compiler(templates: Path, fonts: Path) -> Any:
    """Return a typst compiler that reads only below `templates`, knows the fonts in `fonts` and loads no package."""
    import typst  # noqa: PLC0415 (only the child needs it)

    nowhere = templates / "no-packages"
    return typst.Compiler(
        root=templates, font_paths=[fonts], ignore_system_fonts=True, package_path=nowhere, package_cache_path=nowhere
    )


def serve(templates: Path, fonts: Path) -> None:
    """Limit the memory of this process to `MEMORY_BYTES`, then answer requests from standard input on standard output.

    Return when the parent process closes standard input or sends nothing for `IDLE_SECONDS`.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    typesetter = compiler(templates, fonts)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while select.select([source], [], [], IDLE_SECONDS)[0]:
        request = receive(source)
        if request is None:
            return
        send(sink, _answer(typesetter, templates, json.loads(request)))


def _answer(typesetter: Any, templates: Path, request: dict[str, Any]) -> bytes:
    """Make the document of one request, and return the answer: `+` and the file, or `-` and the error message."""
    try:
        inputs = {"data": json.dumps(request["data"])}
        options = {"pdf_standards": ["a-3a"]} if request["format"] == "pdf" else {"ppi": PIXELS_PER_INCH}
        made: bytes = typesetter.compile(
            templates / request["template"], format=request["format"], sys_inputs=inputs, **options
        )
    except (RuntimeError, ValueError, MemoryError) as error:
        return b"-" + str(error).encode()
    return b"+" + made


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
