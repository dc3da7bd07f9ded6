"""Find the agents whom a note mentions with "@", such as "@Ines Okafor", and record them, so that they are notified."""

import re
from collections import defaultdict
from collections.abc import Iterable

from piccolo.columns import BigInt
from piccolo.table import Table

from portal.database import current
from portal.folding import folded
from portal.people.agents import Agent
from portal.people.offered import Offered

LONGEST = 250
"""How many characters after an "@" are compared with names, which have at most 200 characters."""
_AT = re.compile(r"(?<!\w)@(?=\w)")
_AFTER_NAME = re.compile(r"\W+$")


class Mention(Table, tablename="mention"):
    """One agent whom a note mentions. The primary key is message and agent."""

    message_id = BigInt(primary_key=True, default=None)
    agent_id = BigInt(default=None)
    customer_id = BigInt(default=None)


def named_in(text: str, agents: Iterable[Offered]) -> set[int]:
    """Return the ids of the agents whom the text mentions after an "@": by their whole name, or by a first name.

    A first name is recognised only if no other agent has the same one. Case, accents and punctuation after a name are
    ignored. An "@" inside a word, as in a mail address, mentions nobody.
    """
    by_name, by_first_name = defaultdict(set), defaultdict(set)
    for agent in agents:
        if words := _words(folded(agent.name).split()):
            by_name[tuple(words)].add(agent.id)
            by_first_name[words[0]].add(agent.id)
    names = by_name | {(first,): ids for first, ids in by_first_name.items() if len(ids) == 1}
    longest = max(map(len, names), default=0)
    text, found = folded(text), set()
    for sign in _AT.finditer(text):
        words = text[sign.end() : sign.end() + LONGEST].split(maxsplit=longest)[:longest]
        readings = (names.get(tuple(_words(words[:count]))) for count in range(len(words), 0, -1))
        found |= next(filter(None, readings), set())
    return found


def _words(words: list[str]) -> list[str]:
    """Return the words of a name, without the punctuation after the last one, such as a comma."""
    return [*words[:-1], _AFTER_NAME.sub("", words[-1])] if words else []


async def record(message_id: int, customer_id: int, text: str) -> None:
    """Record which agents the note with the id `message_id` and this text mentions.

    Agents who have left are ignored.
    """
    if "@" not in folded(text):
        return
    named = named_in(text, await Agent.offered())
    await current().execute(
        "insert into mention (customer_id, message_id, agent_id) select $1, $2, unnest($3::bigint[])",
        customer_id, message_id, sorted(named),
    )  # fmt: skip
