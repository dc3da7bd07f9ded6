"""Describe one change of the audit log in a sentence: who changed what, the old value, and the new value.

The words are in `sentences.py`. A sentence is a list of `Part`s; a part may link to the page of the thing that it
names. The sentence is composed when the page is rendered, because dates and amounts are formatted in the reader's
language.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from portal.audit import labels, sentences
from portal.audit.formats import FORMATS
from portal.audit.names import REFERENCES, Names, Part
from portal.money import digits_of, round_half_up
from portal.regions import LOCALES
from portal.render import formats

_PLACE = re.compile(r"\{(\w+)(’s)?\}")
_OPTIONAL = re.compile(r"\[(.*?)\]")
GONE = "something that is deleted"
"""The words of a sentence for a row that has been deleted since the change, or for a value that is missing."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the audit log.

    - `address`: the IP address from which the change was made, and `request`: the request id; "" without a request.
    - `table`: the changed table, and `verb`: `insert`, `update`, `delete` or `export`.
    - `changes`: the old and the new value by changed column, or None if the log does not store the values.
    - `facts`: the values that templates may contain, by column. A changed column has the value from the change; any
      other column has the present value of the row.
    - `names`: the names and pages of everything that the change mentions.
    """

    id: int
    at: datetime
    credential_id: int | None
    address: str
    request: str
    table: str
    verb: str
    changes: Mapping[str, list[Any] | None]
    facts: Mapping[str, Any]
    names: Names

    @property
    def who(self) -> Part:
        """Return the name of the person who made the change, with a link to that person's page if there is one.

        If no person is recorded, return a name for a visitor who is not signed in, or for the portal itself. A person
        whose credential no longer exists is "Former contact".
        """
        if self.credential_id is None:
            return Part(sentences.ANONYMOUS if self.address else sentences.PORTAL)
        return self.names.get(("credential", self.credential_id), Part("Former contact"))

    @property
    def sentence(self) -> list[Part]:
        """Return what happened as one sentence without a full stop.

        If a visitor who was not signed in made the change, some kinds of changes (`sentences.PASSIVE`) have a sentence
        in the passive, which does not say who made the change.
        """
        if self.credential_id is None and self.address:
            for key in (*(f"{self.table}.{column}" for column in self.changes), self._what):
                if key in sentences.PASSIVE:
                    return list(self._filled(sentences.PASSIVE[key]))
        clauses = list(self._clauses())
        parts = [self.who, Part(" ")]
        for place, clause in enumerate(clauses):
            if place:
                parts.append(Part(" and " if place == len(clauses) - 1 else ", "))
            parts += clause
        return parts

    @property
    def text(self) -> str:
        """Return the sentence as plain text."""
        return "".join(part.text for part in self.sentence)

    @property
    def details(self) -> list[tuple[str, str]]:
        """Return the label and the value of each column that the sentence about an added or deleted row leaves out.

        Empty columns are not returned. For a changed row, return an empty list.
        """
        if self.verb not in ("insert", "delete"):
            return []
        said = {name for name, _ in _PLACE.findall(sentences.ACTIONS.get(self._what, ""))}
        place = 0 if self.verb == "delete" else 1
        return [
            (label[:1].upper() + label[1:], self._part(name, values[place]).text)
            for label, name, values in sorted(
                (labels.label(self.table, name), name, values) for name, values in self.changes.items()
            )
            if values and values[place] is not None and name not in said and not sentences.is_unsaid(self.table, name)
        ]

    @property
    def _what(self) -> str:
        """Return the key in `sentences.ACTIONS` for this change: the table and the verb, such as `session.insert`.

        There are two special cases. If a person changed something that belongs to their own credential, such as their
        own session, return the key that ends with ` own`, if `ACTIONS` has one. Otherwise, return the key that ends
        with the row's `kind`, if `ACTIONS` has one.
        """
        what, of_kind = f"{self.table}.{self.verb}", f"{self.table}.{self.verb} {self.facts.get('kind')}"
        mine = self.names.get(("credential", self.facts.get("credential_id", 0)))
        if mine == self.who and f"{what} own" in sentences.ACTIONS:
            return f"{what} own"
        return of_kind if of_kind in sentences.ACTIONS else what

    def _clauses(self) -> Iterator[list[Part]]:
        """Yield a clause for each thing that was done. In the sentence, the clauses follow the name of the person."""
        if action := sentences.ACTIONS.get(self._what):
            yield list(self._filled(action))
        elif self.verb != "update":
            yield [Part(f"{sentences.VERBS[self.verb]} "), *self._subject()]
        else:
            yield from list(self._updates()) or [list(self._untold())]

    def _updates(self) -> Iterator[list[Part]]:
        """Yield a clause for each changed column that pages show.

        The last clause names all columns that have no template and whose values are not in the log.
        """
        untold: list[str] = []
        for name, values in self.changes.items():
            if sentences.is_unsaid(self.table, name) or self._is_moved_password(name):
                continue
            old, new = values or (None, None)
            if template := sentences.of_column(self.table, name, old, new):
                yield list(self._filled(template))
            elif values is None:
                untold.append(labels.label(self.table, name))
            else:
                yield list(self._changed(name, old, new))
        if untold:
            untold.sort(key=str.lower)
            listed = " and ".join([", ".join(untold[:-1]), untold[-1]] if len(untold) > 1 else untold)
            yield [Part(f"changed the {listed} {self._preposition} "), *self._subject()]

    def _is_moved_password(self, column: str) -> bool:
        """Return whether the password hash changed only because the credential got another login.

        The sentence in the audit log does not mention the password then, because nobody has chosen a new one.
        """
        return self.table == "credential" and column == "password_hash" and "login_id" in self.changes

    def _untold(self) -> Iterator[Part]:
        """Yield the clause for a change of a row in which only columns changed that pages never show."""
        if template := sentences.UNTOLD.get(self.table):
            yield from self._filled(template)
        else:
            yield from (Part("changed "), *self._subject())

    def _changed(self, name: str, old: Any, new: Any) -> Iterator[Part]:
        """Yield the clause for a column without a template: the column was set, changed or removed, and its values.

        If the new value is True or False, the clause says that the column was switched on or off.
        """
        label = labels.label(self.table, name)
        if isinstance(new, bool):
            yield Part(f"switched {'on' if new else 'off'} “{label}” {self._preposition} ")
            yield from self._subject()
            return
        if new is None:
            yield from (
                Part(f"removed the {label} "),
                self._part(name, old),
                Part(f" {self._preposition} "),
                *self._subject(),
            )
            return
        yield from (Part(f"{'set' if old is None else 'changed'} the {label} {self._preposition} "), *self._subject())
        if old is not None:
            yield from (Part(" from "), self._part(name, old))
        yield from (Part(" to "), self._part(name, new))

    @property
    def _preposition(self) -> str:
        """Return the preposition between the label of a column and the name of the changed row."""
        return "in" if self.table == "time_rules" else "of"

    def _subject(self) -> Iterator[Part]:
        yield from self._filled(sentences.SUBJECTS.get(self.table, self.table.replace("_", " ")))

    def _filled(self, template: str) -> Iterator[Part]:
        """Yield the parts of a template with the values of the change in place of `{column}`.

        `{column’s}` is replaced by the genitive, which is "their own" for the person who made the change. Text in
        square brackets is left out if one of its columns has no value.
        """
        for place, piece in enumerate(_OPTIONAL.split(template)):
            if place % 2 and any(self.facts.get(name) is None for name, _ in _PLACE.findall(piece)):
                continue
            text = iter(_PLACE.split(piece))
            for words in text:
                if words:
                    yield Part(words)
                if name := next(text, None):
                    yield from self._named(name, is_genitive=bool(next(text)))

    def _named(self, name: str, *, is_genitive: bool) -> Iterator[Part]:
        part = self._part(name, self.facts.get(name))
        if not is_genitive:
            yield part
        elif part == self.who:
            yield Part("their own")
        else:
            yield from (part, Part("’s"))

    def _part(self, name: str, value: Any) -> Part:
        """Return the value of the column `name` as the sentence shows it.

        A value that refers to a row is shown as the name of the row, with a link to the page of the row. Time entries
        and billing runs have no name: the link's text is made from the template in `sentences.NAMELESS`. Other values
        are formatted. If the name or the value is missing, `GONE` is shown.
        """
        if name in REFERENCES and value is not None:
            named = self.names.get((REFERENCES[name], value), Part(GONE))
            if template := sentences.NAMELESS.get(name):
                return Part("".join(part.text for part in self._filled(template)), named.path)
            return named
        return Part(GONE if value is None else self._formatted(name, value))

    def _formatted(self, name: str, value: Any) -> str:
        """Return a value of the column `name` in the format that `FORMATS` gives for the column.

        In other columns, True and False are shown as yes and no, and other values unchanged.
        """
        write = _WRITERS.get(FORMATS.get(name, ""))
        if write:
            return write(value)
        if FORMATS.get(name) == "money":
            return _money(Decimal(value), self.facts.get("currency"))
        return "yes" if value is True else "no" if value is False else str(value)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "day": lambda value: formats.day(date.fromisoformat(value)),
    "moment": lambda value: formats.moment(datetime.fromisoformat(value)),
    "minutes": lambda value: formats.spoken(int(value)),
    "percent": lambda value: formats.percent(Decimal(value)),
    "weekday": lambda value: sentences.WEEKDAYS[int(value) - 1],
    "word": lambda value: str(value).replace("_", " "),
    "country": formats.country,
    "locale": lambda tag: LOCALES.get(tag, tag),
}
"""The functions that format values, by the names of formats in `FORMATS`."""


def _money(amount: Decimal, currency: str | None) -> str:
    """Return an amount with its currency, if there is one, without rounding it to the decimals of the currency."""
    if currency is None or round_half_up(amount, digits_of(currency)) != amount:
        return " ".join(filter(None, (formats.number(amount), currency)))
    return formats.money(amount, currency)
