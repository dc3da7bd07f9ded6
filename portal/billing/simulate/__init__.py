"""`portal simulate FILE`: the engine on paper.

Reads one JSON document, runs the engine over it without a database and writes one JSON document. It is how a contract is
tried out before it is signed, and how the engine is checked.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

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


def main(arguments: Sequence[str]) -> int:
    """Run the one file named; the result goes to standard output. Returns the exit status: 0, or 2 for a bad document.

    Of a bad document nothing is written to standard output, and to standard error one line: `path: what`.
    """
    if len(arguments) != 1:
        return _refuse("usage: portal simulate FILE")
    try:
        result = simulate(parse(Path(arguments[0]).read_bytes()))
    except OSError as error:
        return _refuse(f"$: the file cannot be read ({error.strerror})")
    except BadDocument as error:
        return _refuse(str(error))
    sys.stdout.write(written(result))
    sys.stdout.flush()
    return 0


def _refuse(line: str) -> int:
    sys.stderr.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stderr.flush()
    return 2
