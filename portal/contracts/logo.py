"""The logo of the company, for invoices and the sign-in page.

The uploaded file is never stored, only a PNG that the portal has rendered from it (R59).
"""

from hashlib import sha256

from piccolo.columns import Bytea, SmallInt
from piccolo.table import Table

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.render import documents


class Logo(Table, tablename="logo"):
    """The company's logo as a PNG, with its SHA-256. The table has at most one row."""

    id = SmallInt(primary_key=True, default=1)
    png = Bytea(default=None)
    sha256 = Bytea(default=None)


async def change(content: bytes) -> None:
    """Render an uploaded image as a new PNG, and store that PNG as the logo. Issued invoices keep their old logo.

    `content` is the uploaded file, a PNG or an SVG. Raise `Invalid` (`logo`) if the file cannot be rendered, `Conflict`
    if the company has not been set up.
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
    """Delete the logo, so that later invoices and the sign-in page show the company's name instead."""
    await Logo.delete(force=True)


async def find() -> bytes | None:
    """Return the logo as a PNG, or None if there is no logo."""
    row = await Logo.select(Logo.png).first()
    return row["png"] if row else None


async def digest() -> str:
    """Return the first 12 hexadecimal digits of the logo's SHA-256, for the logo's URL; "" if there is no logo."""
    row = await Logo.select(Logo.sha256).first()
    return row["sha256"].hex()[:12] if row else ""
