"""Parse the stories of the demo: invented support cases, written as short scripts.

A story begins with `# subject | type priority`. Each further line is one turn: `c:` is a message of the contact, `a:`
the agent's reply, `n:` an internal note, and `w 45:` 45 minutes of work with the comment that the customer reads. A
line with `f:` is no turn: it names a file that is attached to the message before it. An indented line continues the
line above. A placeholder such as `{server}` is replaced by a random name, the same one throughout a case.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Literal

from portal.demo.stories import accounts, network, servers, unique, workplace

TYPES = {"incident": "Incident", "question": "Question", "change": "Change request", "mistake": "Our mistake"}
"""The name of each case type by the word that stands for it in the first line of a story."""

PRIORITIES = {"low": 1, "normal": 2, "high": 3, "urgent": 4}


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a story: a message, a note or a piece of work.

    `who` is `contact` or `agent` for a message of that person. `minutes` is set for work only, and `files` are the
    names of the attachments.
    """

    who: Literal["contact", "agent", "note", "work"]
    text: str
    minutes: int = 0
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """One invented support case. `type_name` is the name of its case type, `priority` a number from 1 to 4."""

    subject: str
    type_name: str
    priority: int
    turns: tuple[Turn, ...]

    def filled(self, rng: Random) -> "Story":
        """Return a copy of the story in which each placeholder such as `{server}` is replaced by a random name.

        A placeholder that occurs several times is replaced by the same name each time.
        """
        chosen = {name: rng.choice(values) for name, values in NAMES.items()}

        def fill(text: str) -> str:
            def name(match: re.Match[str]) -> str:
                value = chosen[match[1]]
                # A placeholder at the start of a sentence may become “the ERP” or “accounts”, which then needs a
                # capital letter.
                begins = text[: match.start()].endswith((". ", "? ")) or match.start() == 0
                return value[0].upper() + value[1:] if begins else value

            return re.sub(r"\{(\w+)\}", name, text)

        return replace(
            self,
            subject=fill(self.subject),
            turns=tuple(replace(turn, text=fill(turn.text)) for turn in self.turns),
        )


_LISTS = {
    "person": "Karin Holt,Sven Adler,Mareike Jansen,Paul Reuter,Olga Brenner,Tim Falk,Nadia Simon,Henrik Moll,Eva Strand,Luca Ferro,"
    "Jana Petersen,Bodo Klein,Rieke Thoms,Anton Vidal,Hanna Krog,Milo Benedek,Inga Sommer,Ralf Döring",
    "room": "the meeting room,the warehouse,the accounts office,the workshop,the print room,room 12,the canteen,the laboratory,the sales office,"
    "the store room,reception,the training room",
    "hall": "the meeting room,the training room,the board room,room 12,the glass room",
    "server": "FS-01,FS-02,APP-03,SQL-01,TS-02,MAIL-01,BK-01",
    "app": "the ERP,the time clock,the label software,the document archive,the accounting software,the web shop,the warehouse system,"
    "the booking system,the route planner",
    "site": "the second site,the branch in Celle,the depot,the new building,the shop in town,the yard",
    "folder": "Offers,Contracts,Payroll,Drawings,Purchasing,Quality,Board",
    "box": "orders,info,invoices,service,applications,returns",
    "day": "Monday,Tuesday,Wednesday,Thursday,Friday",
    "date": "the 1st,the 15th",
    "time": "07:50,08:40,09:15,10:30,11:20,13:05,14:45,16:10",
    "port": "8443,5061,9100,3050,8880",
    "version": "7.2,7.4,11.0,11.3",
    "n": "4,5,6,7,8,9,12,14,18,20",
}  # fmt: skip
NAMES = {name: values.split(",") for name, values in _LISTS.items()}
"""For each placeholder, the names that may replace it."""


def parse(script: str) -> list[Story]:
    """Return the stories that a script contains."""
    return [_story(block) for block in re.split(r"^# ", script.strip(), flags=re.MULTILINE) if block]


def _story(block: str) -> Story:
    head, *lines = re.sub(r"\n {2,}", " ", block).strip().split("\n")
    subject, facts = head.rsplit(" | ", 1)
    kind, priority = facts.split()
    turns: list[Turn] = []
    for line in filter(None, lines):
        sign, text = line.split(": ", 1)
        if sign == "f":
            turns[-1] = replace(turns[-1], files=(*turns[-1].files, text))
        elif sign.startswith("w "):
            turns.append(Turn("work", text, minutes=int(sign[2:])))
        else:
            turns.append(Turn(_SPEAKERS[sign], text))
    return Story(subject, TYPES[kind], PRIORITIES[priority], tuple(turns))


_SPEAKERS: dict[str, Literal["contact", "agent", "note"]] = {"c": "contact", "a": "agent", "n": "note"}


@cache
def ordinary_stories() -> tuple[Story, ...]:
    """Return the stories that are used for several cases, each time with random names for the placeholders."""
    return tuple(parse("\n".join((network.STORIES, servers.STORIES, workplace.STORIES, accounts.STORIES))))


@cache
def unique_stories() -> tuple[Story, ...]:
    """Return the stories that happen only once, in cases of Ada, Alan and Gil. They are in the order of `unique.ASSIGNMENTS`."""
    return tuple(parse(unique.STORIES))
