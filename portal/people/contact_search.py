"""Find contacts by name, mail address or telephone number: SQL conditions for lists, and the queries of the search.

`telephone_digits` and `mail_part` recognise a telephone number or a mail address in the text that was typed.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from portal.database import current
from portal.database.finder import Finder, choosable
from portal.fields import phone
from portal.mailboxes import canonical
from portal.people.readers import Reader

BY_NAME = "strpos(folded(name), (select folded(?))) > 0"
BY_MAIL = "id in (select contact_id from credential where strpos(email, ?) > 0)"
# Only the digits of a telephone number are compared, without `(0)`: `040 555 12` finds `+49 (0)40 555 12`.
BY_TELEPHONE = r"strpos(regexp_replace(replace(phone, '(0)', ''), '\D', '', 'g'), ?) > 0"
"""SQL conditions on the columns of `contact`.

The parameter `?` is a part of the name, a result of `mail_part` and a result of `telephone_digits`, respectively.
"""

PUNCTUATION = ".,;:!?()[]\"'„“”‚‘’«»"
"""Punctuation marks that are ignored around a word of a search text."""
_FEWEST_DIGITS = 5
"""The minimum number of digits for a search among telephone numbers: fewer digits occur in too many numbers."""


def telephone_digits(text: str) -> str:
    """Return the digits of a telephone number or of a part of one, without `(0)` and without leading zeros.

    Return "" if fewer than five digits are left, or if `phone`, which checks the telephone numbers of contacts, refuses
    the text.
    """
    try:
        number = phone(text)
    except ValueError:
        return ""
    digits = re.sub(r"\D", "", number.replace("(0)", "")).lstrip("0")
    return digits if len(digits) >= _FEWEST_DIGITS else ""


def mail_part(word: str) -> str:
    """Return `word` in the spelling in which mail addresses are stored, if it contains an `@`; otherwise "".

    The word may be a part of a mail address, such as `@acme.example`.
    """
    plain = unicodedata.normalize("NFKC", word).lower()
    if "@" not in plain:
        return ""
    try:
        return canonical(word)
    except ValueError:
        return plain


MOST_NAMED = 100
"""The maximum number of customers, and of contacts, that one word of the search can match."""


class Named(NamedTuple):
    """The ids of customers and contacts whose data match a word. `is_cut` says whether further ids were left out."""

    customers: tuple[int, ...] = ()
    contacts: tuple[int, ...] = ()
    is_cut: bool = False


# The conditions on a parameter come first, so that PostgreSQL skips the part of the query that it does not need.
_CONTACTS = f"""
select id from contact where search_vector(name) @@ w.query and erased_at is null
union select contact_id from credential where w.mail <> '' and contact_id is not null and strpos(email, w.mail) > 0
union select id from contact where w.digits <> '' and {BY_TELEPHONE.replace("?", "w.digits")}
"""  # noqa: S608 (the condition is a constant)
_NAMED = f"""
select array(select id from customer where search_vector(name || ' ' || legal_name) @@ w.query limit {MOST_NAMED + 1}) as customers,
  array(select id from ({_CONTACTS}) c limit {MOST_NAMED + 1}) as contacts
from unnest($1::text[]::tsquery[], $2::text[], $3::text[]) with ordinality w (query, mail, digits, place) order by w.place
"""  # noqa: S608
_FOUND = f"""
select t.id, t.customer_id, t.name, t.phone, t.ended_at, c.email, u.name as customer
from (select w.*, contact.* from (select $1::text::tsquery as query, $2::text as mail, $3::text as digits) w
      join contact on contact.id in ({_CONTACTS})) t
left join credential c on c.contact_id = t.id join customer u on u.id = t.customer_id
where $4::bigint is null or (folded(t.name), t.id) > (select folded(name), id from contact where id = $4)
order by folded(t.name), t.id limit $5
"""  # noqa: S608


async def named(queries: Sequence[tuple[str, str, str]], reader: Reader) -> list[Named]:
    """Return, for each word of a search, the customers and contacts that match the word, in the order of the words.

    A word is a tuple: a tsquery for names, the `mail_part` of the word and its `telephone_digits`. If the reader is a
    contact, only names are searched, because the portal does not show contacts the mail address and telephone number of
    everybody.
    """
    words, mails, digits = zip(*queries, strict=True) if queries else ((), (), ())
    if reader.is_contact:
        mails = digits = ("",) * len(words)
    rows = await current().fetch(_NAMED, words, mails, digits)
    return [
        Named(
            tuple(row["customers"][:MOST_NAMED]),
            tuple(row["contacts"][:MOST_NAMED]),
            max(len(row["customers"]), len(row["contacts"])) > MOST_NAMED,
        )
        for row in rows
    ]


async def found_contacts(query: str, mail: str, digits: str, *, after: int | None, limit: int) -> list[Any]:
    """Return at most `limit` contacts, sorted by name, that match by name, mail address or telephone number.

    `query` is a tsquery for names, `mail` a `mail_part`, `digits` are `telephone_digits`; a contact that matches one of
    them is found. `after` is the id of the last contact on the previous page. Columns: id, customer_id, name, phone,
    email (None without one), ended_at, customer (its name). For agents only.
    """
    return await current().fetch(_FOUND, query, mail, digits, after, limit)


def _sought(text: str) -> str:
    """Return the text to search for with `CALLERS`: the digits of a telephone number, or any other text unchanged."""
    return telephone_digits(text) or text


CALLERS = Finder(
    "contact",
    r"""
select o.id, o.name, concat_ws(', ', u.name, o.phone, coalesce(c.email, 'no mail address')) as about, false as is_last,
  concat_ws(' ', o.name, u.name, o.phone, c.email, regexp_replace(replace(o.phone, '(0)', ''), '\D', '', 'g')) as sought
from contact o join customer u on u.id = o.customer_id left join credential c on c.contact_id = o.id
where o.ended_at is null and u.ended_at is null
""",
    by="sought",
    sought_in="name, number, mail address or customer",
    read=_sought,
)
"""Type-ahead search of the contacts who have not left, of customers that have not ended."""


_CONTACTS_OF = Finder(
    "contact",
    "select o.id, o.name, case when c.id is null then 'no mail address' else '' end as about,"
    " o.ended_at is not null as is_last, o.customer_id from contact o left join credential c on c.contact_id = o.id",
    of="customer_id",
)


def contacts_of(customer: int) -> Finder:
    """Return the type-ahead search for those contacts of a customer who have not left."""
    return choosable(known_contacts_of(customer))


def known_contacts_of(customer: int) -> Finder:
    """Return the type-ahead search for all contacts of a customer, even those who have left.

    `people_in` and `settle` in `web.finding` require a search that also finds people who have left.
    """
    return replace(_CONTACTS_OF, within=customer)
