"""Locate errors in a document, so that the first error in document order can be reported."""

import json
from dataclasses import dataclass, field


class BadDocument(Exception):
    """An error in a document: the path of the bad value, such as `entries[3].date`, and what is wrong with it (`what`).

    The path `$` stands for the whole document.
    """

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path}: {what}")


@dataclass(frozen=True, slots=True)
class Location:
    """The path of a value, and its position: the indices, in the file, of the keys and items that lead to the value.

    Positions compare in document order; an object comes before its content.
    """

    path: str = ""
    position: tuple[int, ...] = ()

    def key(self, name: str, number: int) -> "Location":
        """Return the location of the value of the key `name`; `number` is the index of this key in the object."""
        shown = name if name.isprintable() and name else json.dumps(name)
        return Location(f"{self.path}.{shown}" if self.path else shown, (*self.position, number))

    def item(self, number: int) -> "Location":
        """Return the location of the item with the index `number` in the list at this location."""
        return Location(f"{self.path}[{number}]", (*self.position, number))


@dataclass(slots=True)
class Errors:
    """Errors that are collected in any order. The first error in document order is reported."""

    found: list[tuple[Location, str]] = field(default_factory=list)

    def add(self, place: Location, what: str) -> None:
        """Record an error: `what` is wrong with the value at `place`."""
        self.found.append((place, what))

    def raise_first(self) -> None:
        """Raise `BadDocument` for the first error in document order, if there is an error."""
        if self.found:
            place, what = min(self.found, key=lambda error: error[0].position)
            raise BadDocument(place.path or "$", what)
