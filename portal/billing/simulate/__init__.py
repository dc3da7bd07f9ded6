"""Run the engine on a JSON document, without a database: `portal simulate FILE`.

The result is a JSON document too. Use it to try out a contract before it is signed, and to check the engine.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from portal import console
from portal.billing.simulate.document import read
from portal.billing.simulate.errors import BadDocument
from portal.billing.simulate.json_text import parse, written
from portal.billing.simulate.running import run

__all__ = ["BadDocument", "main", "simulate"]


def simulate(document: object) -> dict[str, object]:
    """Return the output document for an input document, both as JSON values (an integer is an int, never a float).

    Raise `BadDocument` with the path of the first bad value.
    """
    return run(read(document))


LARGEST = 100_000_000
"""The maximum size of an input document in bytes, about 300,000 entries. A larger document is not parsed."""


def main(arguments: Sequence[str]) -> int:
    """Read the input document from the file that the only argument names, and write the result to standard output.

    Return the exit status: 0 for success, 1 if the result cannot be written, 2 for a bad document or wrong arguments.
    For a bad document, one line of the form `path: what` is written to standard error, and nothing to standard output.
    """
    if len(arguments) != 1:
        return _refuse("usage: portal simulate FILE")
    try:
        result = simulate(parse(_read(Path(arguments[0]))))
    except OSError as error:
        return _refuse(f"$: the file cannot be read ({error.strerror})")
    except BadDocument as error:
        return _refuse(str(error))
    try:
        sys.stdout.write(written(result))
        sys.stdout.flush()
    except OSError as error:
        console.say(f"The output cannot be written: {error.strerror}.")
        return 1
    return 0


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise BadDocument("$", f"larger than {LARGEST // 1_000_000} MB")
    return content


def _refuse(line: str) -> int:
    sys.stderr.write(line.encode("utf-8", "backslashreplace").decode() + "\n")
    sys.stderr.flush()
    return 2
