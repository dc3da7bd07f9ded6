"""Edit forms that two people have open at once: only what somebody changed is written (design manner 20).

The page puts what it showed into the hidden field `seen`. When the form arrives, `edited` compares three versions of each field: what was
seen, what was typed, and what is stored by now.
"""

from typing import Any, TypeVar

import msgspec

from portal.errors import BadRequest, Conflict, Invalid
from portal.web.forms import SEEN, Form

Fields = TypeVar("Fields", bound=msgspec.Struct)
Stored = TypeVar("Stored", bound=msgspec.Struct)

SENTENCE = "Somebody else changed this meanwhile."


class Overtaken(Invalid):
    """Somebody else changed a field to one value and this form to another. The page shows both; sent again, the form wins.

    `typed` is what the form shows then: its own changes over what is stored, the stored values as `seen`, `theirs` (the stored value of
    each disputed field) and `news` (the fields that only somebody else changed).
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
    """Return what the page of this form showed, None where the form does not say. Raises `BadRequest` for anything else."""
    if not (text := form.get(SEEN)):
        return None
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRequest from error


def edited(form: Form, shape: type[Fields], stored: msgspec.Struct, *, seen: msgspec.Struct | None = None) -> Fields:
    """Return the form as `shape`, with the stored value of each field that it leaves as its page showed it.

    `stored` has the form's editable fields as they are now; hold its row until the change is written. `seen` is read from the form
    unless it is given. A form that does not say what it saw is taken as it is. Raises `Invalid` as `Form.into` does, and `Overtaken`.
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
    """Compare without regard to blanks around text and to the order of ticked boxes."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(value)
    return value.strip() if isinstance(value, str) else value
