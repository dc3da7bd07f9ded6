"""`portal simulate FILE`: the engine on paper.

Reads one JSON document, runs the engine over it without a database and writes one JSON document. It is how a contract is
tried out before it is signed, and how the engine is checked.
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
    """The output document for an input document, both as JSON values (an integer is an int, never a float).

    Raises `BadDocument`, which has the path of the first bad value.
    """
    return run(read(document))


LARGEST = 100_000_000
"""Bytes of a document, which is about 300,000 entries. More would take all of the memory before it is refused."""


def main(arguments: Sequence[str]) -> int:
    """Run the one file named; the result goes to standard output.

    Returns the exit status: 0, 1 where the result cannot be written, or 2 for a bad document and for wrong arguments.

    Of a bad document nothing is written to standard output, and to standard error one line: `path: what`.
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
