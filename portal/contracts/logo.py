"""Keep the logo of the company, for invoices and the sign-in page.

Only a PNG that we drew is kept, never the upload (R59).
"""

from hashlib import sha256

from piccolo.columns import Bytea, SmallInt
from piccolo.table import Table

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.render import documents


class Logo(Table, tablename="logo"):
    """The logo as PNG, with its SHA-256. The table has at most one row, which belongs to the company."""

    id = SmallInt(primary_key=True, default=1)
    png = Bytea(default=None)
    sha256 = Bytea(default=None)


async def change(content: bytes) -> None:
    """Draw the picture (PNG or SVG) anew as a PNG and keep it as the logo. Issued invoices keep the logo they had.

    Raise `Invalid` (`logo`) where it is no such picture, `Conflict` before the company has been set up.
    """
    try:
        png = await documents.logo(content)
    except ValueError as error:
        raise Invalid({"logo": str(error)}) from error
    if not await current().fetchval("select true from company for share"):
        raise Conflict("Set up the company first, then choose its logo.")
    drawn = Logo(png=png, sha256=sha256(png).digest())
    await Logo.insert(drawn).on_conflict(target=Logo.id, action="DO UPDATE", values=[Logo.png, Logo.sha256])


async def remove() -> None:
    """Delete the logo, so that invoices and the sign-in page show the company's name instead."""
    await Logo.delete(force=True)


async def find() -> bytes | None:
    """Return the logo as PNG, or None where there is none."""
    row = await Logo.select(Logo.png).first()
    return row["png"] if row else None


async def digest() -> str:
    """Return 12 hexadecimal digits that change with the logo, for its URL; "" where there is none."""
    row = await Logo.select(Logo.sha256).first()
    return row["sha256"].hex()[:12] if row else ""
