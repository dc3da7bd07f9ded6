"""File name extensions ("endings") that an admin refuses, in addition to those that are always refused."""

import re

from msgspec import Struct
from piccolo.columns import Text
from piccolo.table import Table

from portal.desk.files.filetypes import EXECUTABLE
from portal.fields import Checked


class EndingFacts(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form field with a file name extension as typed, with or without its dot."""

    ending: str


class RefusedEnding(Table, tablename="refused_ending"):
    """A file name extension that an admin refuses, in lower case and without its dot."""

    ending = Text(primary_key=True, null=False, default=None)

    @classmethod
    async def all(cls) -> list[str]:
        """Return the extensions that admins have added, in alphabetical order."""
        return [row["ending"] for row in await cls.select(cls.ending).order_by(cls.ending)]

    @classmethod
    async def refuse(cls, facts: EndingFacts) -> None:
        """Refuse files with the extension in `facts` from now on. Do nothing if an admin has added it already.

        Stored files stay. Raise `Invalid` at the field `ending` if the text is not a file name extension, or is an
        extension that is always refused.
        """
        checked = Checked()
        ending = checked("ending", _ending, facts.ending)
        checked.done()
        await cls.insert(cls(ending=ending)).on_conflict(action="DO NOTHING")

    @classmethod
    async def take_again(cls, ending: str) -> None:
        """Accept files with this extension again. Do nothing if it is not refused."""
        await cls.delete().where(cls.ending == ending)


def _ending(text: str) -> str:
    read = text.strip().removeprefix("*").removeprefix(".").lower()
    if not re.fullmatch(r"[a-z0-9_+~-]{1,16}", read):
        raise ValueError("Write one ending of letters and digits, such as iso.")
    if read in EXECUTABLE:
        raise ValueError(f"Files ending in “.{read}” are refused already: they are programs.")
    return read
