"""Represent a form that was sent: its fields and files, and their conversion into a typed struct."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from portal.database import transaction
from portal.desk.files import draft_files
from portal.desk.files.draft_files import DraftFile
from portal.errors import BadRequest, Invalid
from portal.numbers import number_in, uuid_in
from portal.people.readers import Reader

SEEN = "seen"
"""The hidden field of an edit form with the values that its page showed (`portal.web.edits`)."""

Fields = TypeVar("Fields", bound=msgspec.Struct)


@dataclass(slots=True)
class Form:
    """A form that was sent: its text fields, in the order in which they arrived, and its files."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[DraftFile] = field(default_factory=list)
    """The files sent with the form and those uploaded for it earlier, at most `attachments.MAX_FILES`."""
    loaded: bool = False
    """Whether `files` includes the files that were uploaded earlier."""
    problems: dict[str, str] = field(default_factory=dict)
    """Error messages about the files that were refused, by field name. `into` raises `Invalid` if there are any."""

    def get(self, name: str) -> str:
        """Return the last value of the field, or "" if the field was not sent."""
        return self.fields.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """Return all values of a field that may occur several times, such as ticked rows."""
        return self.fields.get(name, [])

    @property
    def typed(self) -> dict[str, str]:
        """Return the last value of each field, so that the page can show it again after a refusal."""
        return {name: values[-1] for name, values in self.fields.items()}

    def refuse_file(self, field: str, sentence: str) -> None:
        """Add the message that says why a file in `field` was refused. A field may have several such messages."""
        self.problems[field] = f"{self.problems[field]} {sentence}" if field in self.problems else sentence

    async def renew_key(self, by: Reader) -> None:
        """Give the form and its uploaded files a new `form_key`, because a form with the current key was sent before."""
        former, new = self.key, uuid.uuid4()
        self.fields["form_key"] = [str(new)]
        if former:
            async with transaction(by):
                await draft_files.move(former, new, by)

    @property
    def had_files(self) -> bool:
        """Return whether files were uploaded for the form earlier or sent with it now, even if they were refused."""
        return bool(self.files or self.problems)

    @property
    def key(self) -> uuid.UUID | None:
        """Return the `form_key`, by which a form sent twice takes effect only once; None if it is not a UUID."""
        return uuid_in(self.get("form_key"))

    def into(self, shape: type[Fields]) -> Fields:
        """Return the fields as a struct of the type `shape`, whose members are str, int, bool, list[str] or list[int].

        An int may also be optional. A member that was not sent has its default or, without one, an empty value: "",
        False, [] or None. Raise `BadRequest` for a field that the struct does not have (R30), so that a request cannot
        set a column that the form does not show. Raise `Invalid` if an int is not a whole number, if an int that is not
        optional was not sent, or if a file was refused.
        """
        known = {member.name: member for member in msgspec.structs.fields(shape)}
        if unknown := set(self.fields) - set(known) - {SEEN}:
            raise BadRequest(f"This form has no field “{min(unknown)}”.")
        values: dict[str, Any] = {}
        problems = dict(self.problems)
        for name, member in known.items():
            try:
                values |= _converted(name, member, self.fields.get(name))
            except ValueError:
                problems[name] = "Choose one from the list." if self.get(name) else "Choose one."
        if problems:
            raise Invalid(problems)
        return shape(**values)


class Nothing(msgspec.Struct):
    """The fields of a form that consists of a button only; the default for handlers without a `form` parameter."""


def _converted(name: str, member: Any, given: list[str] | None) -> dict[str, Any]:
    if given is None and member.default is not msgspec.NODEFAULT:
        return {}
    try:
        return {name: _CONVERTERS[member.type](given or [])}
    except KeyError:
        raise TypeError(f"{name}: a form has no {member.type}") from None


def _last(given: list[str]) -> str:
    return given[-1] if given else ""


def _whole(value: str) -> int:
    if (number := number_in(value)) is None:
        raise ValueError(value)
    return number


_CONVERTERS: dict[Any, Callable[[list[str]], Any]] = {
    str: _last,
    int: lambda given: _whole(_last(given)),
    int | None: lambda given: _whole(_last(given)) if _last(given) else None,
    bool: lambda given: _last(given) not in ("", "0", "false"),
    list[str]: lambda given: given,
    list[int]: lambda given: [_whole(value) for value in given],
}
