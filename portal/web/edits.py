"""Merge edit forms that two people have open at the same time: only changed fields are written.

A page puts the stored values that it shows into the hidden field `seen`. When the form is sent, `edited` compares three
values of each field: the value in `seen`, the typed value, and the value that is stored now.
"""

from typing import Any, TypeVar

import msgspec

from portal.errors import BadRequest, Conflict, Invalid
from portal.web.forms import SEEN, Form

Fields = TypeVar("Fields", bound=msgspec.Struct)
Stored = TypeVar("Stored", bound=msgspec.Struct)

SENTENCE = "Somebody else changed this in the meantime."


class Overtaken(Invalid):
    """Raised if a form changes a field that another person has changed to something else since the page was shown.

    The page then shows the stored and the typed value of the field; sending the form again saves the typed value.
    `typed` holds what the form shows next: the stored values, overwritten by the user's own changes. In `typed`, the
    entry `seen` holds the stored values as JSON, `theirs` the stored value of each field that both people changed, and
    `news` the names of the fields that only the other person changed.
    """

    status = Conflict.status

    def __init__(self, mine: dict[str, Any], stored: msgspec.Struct, disputed: list[str], news: list[str]) -> None:
        super().__init__(dict.fromkeys(disputed, SENTENCE))
        values = {name: "" if value is None else value for name, value in mine.items()}
        theirs = {name: getattr(stored, name) for name in disputed}
        self.typed: dict[str, Any] = values | {SEEN: as_seen(stored), "theirs": theirs, "news": news}


def as_seen(facts: msgspec.Struct) -> str:
    """Return the JSON text for the hidden field `seen` of a page that shows the values `facts`."""
    return msgspec.json.encode(facts).decode()


def seen_in(form: Form, shape: type[Stored]) -> Stored | None:
    """Return the values that the page showed, from the form's hidden field `seen`; None if the form has no such field.

    Raise `BadRequest` if `seen` is malformed.
    """
    if not (text := form.get(SEEN)):
        return None
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRequest from error


def edited(form: Form, shape: type[Fields], stored: msgspec.Struct, *, seen: msgspec.Struct | None = None) -> Fields:
    """Return the submitted form as a struct of type `shape`; fields that the user did not change have the stored value.

    A field counts as changed if its typed value differs from the value in `seen`, which the page showed. `seen` is read
    from the form unless it is given; if the form has no `seen`, return all fields as typed. `stored` has the values
    that are stored now; the caller must keep the row locked until the change is written. Raise `Invalid` as `Form.into`
    does, and `Overtaken` if another person has changed a field that this form changes to something else.
    """
    typed = form.into(shape)
    seen = seen or seen_in(form, type(stored))
    if seen is None:
        return typed
    mine, disputed, news = dict[str, Any](), list[str](), list[str]()
    for name in stored.__struct_fields__:
        here, before, now = (getattr(facts, name) for facts in (typed, seen, stored))
        is_changed_here, is_changed_there = not _same(here, before), not _same(now, before)
        mine[name] = here if is_changed_here else now
        if is_changed_here and is_changed_there and not _same(here, now):
            disputed.append(name)
        elif is_changed_there:
            news.append(name)
    if disputed:
        raise Overtaken(mine, stored, disputed, news)
    return msgspec.structs.replace(typed, **mine)


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, ignoring blanks around text and the order of ticked boxes."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(value)
    return value.strip() if isinstance(value, str) else value
