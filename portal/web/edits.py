"""Merge edit forms that two people have open at once: only changed fields are written (design manner 20).

The page puts the values that it showed into the hidden field `seen`. When the form arrives, `edited` compares three
values of each field: the one seen, the one typed and the one stored now.
"""

from typing import Any, TypeVar

import msgspec

from portal.errors import BadRequest, Conflict, Invalid
from portal.web.forms import SEEN, Form

Fields = TypeVar("Fields", bound=msgspec.Struct)
Stored = TypeVar("Stored", bound=msgspec.Struct)

SENTENCE = "Somebody else changed this meanwhile."


class Overtaken(Invalid):
    """Refuse a form that changes a field which somebody else has changed meanwhile.

    The page then shows both values, and sending the form again saves its own. `typed` holds the values for the form:
    its own changes on top of the stored values. `seen` becomes the stored values, `theirs` holds the stored value of
    each disputed field, and `news` lists the fields that only somebody else changed.
    """

    status = Conflict.status

    def __init__(self, mine: dict[str, Any], stored: msgspec.Struct, disputed: list[str], news: list[str]) -> None:
        super().__init__(dict.fromkeys(disputed, SENTENCE))
        values = {name: "" if value is None else value for name, value in mine.items()}
        theirs = {name: getattr(stored, name) for name in disputed}
        self.typed: dict[str, Any] = values | {SEEN: as_seen(stored), "theirs": theirs, "news": news}


def as_seen(facts: msgspec.Struct) -> str:
    """Return the value of the hidden field `seen` for a page that shows `facts`."""
    return msgspec.json.encode(facts).decode()


def seen_in(form: Form, shape: type[Stored]) -> Stored | None:
    """Return the values that this form's page showed; None where it has no `seen`. Raises `BadRequest`."""
    if not (text := form.get(SEEN)):
        return None
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRequest from error


def edited(form: Form, shape: type[Fields], stored: msgspec.Struct, *, seen: msgspec.Struct | None = None) -> Fields:
    """Return the form as `shape`, taking the stored value for each field that the user left as the page showed it.

    `stored` has the form's editable fields as they are now; hold its row lock until the change is written. `seen` is
    read from the form unless it is given. A form without `seen` is taken as it is. Raises `Invalid` as `Form.into`
    does, and `Overtaken`.
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
