"""Where a document is wrong: the first error in document order is the one that is reported."""

import json
from dataclasses import dataclass, field


class BadDocument(Exception):
    """`path` leads to the bad value, such as `entries[3].date`, `$` is the whole document; `what` is wrong with it."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path}: {what}")


@dataclass(frozen=True, slots=True)
class Place:
    """A value's path, and its position: the numbers of the keys and items on the way to it, as they stand in the file.

    Positions compare in document order; an object comes before what is in it.
    """

    path: str = ""
    position: tuple[int, ...] = ()

    def key(self, name: str, number: int) -> "Place":
        """The value of the key `name`, which is the `number`th of this object."""
        shown = name if name.isprintable() and name else json.dumps(name)
        return Place(f"{self.path}.{shown}" if self.path else shown, (*self.position, number))

    def item(self, number: int) -> "Place":
        """An item of this list."""
        return Place(f"{self.path}[{number}]", (*self.position, number))


@dataclass(slots=True)
class Errors:
    """Collects what is wrong, in any order, and knows the first in document order."""

    found: list[tuple[Place, str]] = field(default_factory=list)

    def add(self, place: Place, what: str) -> None:
        """`what` is wrong at `place`."""
        self.found.append((place, what))

    def raise_first(self) -> None:
        """Raise `BadDocument` for the first error, if there is one."""
        if self.found:
            place, what = min(self.found, key=lambda error: error[0].position)
            raise BadDocument(place.path or "$", what)
