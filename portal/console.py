"""The standard streams of a command, which may be closed, full, or a pipe without a reader.

Messages on standard error are optional: a message that cannot be written is dropped, and the command continues. The
text on standard output is the command's result: if it cannot be written, the command reports this in one line and exits
with status 1.
"""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

MOST_SAID = 500
"""The maximum number of characters of a message that are printed. A message may quote an argument of any length."""


class _Lenient(io.FileIO):
    """A file whose writes never fail; data that cannot be written is dropped."""

    def write(self, content: object) -> int:
        """Write as much as possible, and report all of it as written."""
        with contextlib.suppress(OSError):
            super().write(content)  # type: ignore[arg-type]
        return len(content)  # type: ignore[arg-type]


def prepare() -> None:
    """Make the three standard streams usable. Call this once, at the start of a process.

    A closed stream is opened on /dev/null, because otherwise the next file to be opened would get its file descriptor.
    A closed standard output is opened for reading only, so that writing a result to it fails. `sys.stderr` is replaced by
    a stream whose writes never fail.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR if number == 2 else os.O_RDONLY)
            os.set_inheritable(opened, True)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 (for the whole process)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 (for the whole process)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Lenient(2, "w", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def say(sentence: str) -> None:
    """Write a message to standard error, as one line. More than `MOST_SAID` characters are cut off."""
    line = " ".join(sentence.split())
    sys.stderr.write((line if len(line) <= MOST_SAID else line[: MOST_SAID - 1] + "…") + "\n")
    sys.stderr.flush()


def greet(text: str) -> None:
    """Write `text` to standard output if possible. Ignore an error, because a server also runs if nobody reads its URL."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode() + b"\n")


def run(command: Callable[[], int]) -> NoReturn:
    """Prepare the standard streams, call `command`, and exit with the status that it returns.

    Exit with 1 and a one-line message if the output of a successful command could not be written, and with 1 and a
    traceback after an unexpected exception.

    The process ends without finalizing the interpreter. A thread of the storage library, which is written in Rust, may
    still wait for the GIL when its last transfer is complete. CPython before 3.14 ends such a thread during
    finalization, and Rust then aborts the whole process (SIGABRT). A successful backup would seem to have failed.
    """
    prepare()
    try:
        status = command()
    except SystemExit as end:  # raised by the argument parser and by signal handlers
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    try:
        sys.stdout.flush()
    except OSError as error:
        if status == 0:
            say(f"The output cannot be written: {error.strerror}.")
            status = 1
    sys.stderr.flush()
    os._exit(status)
