"""Keep the logo of the company, for invoices and the sign-in page.

Only a PNG that we drew is kept, never the upload (R59).
"""

from hashlib import sha256

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.render import documents


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
    await current().execute(
        "insert into logo (png, sha256) values ($1, $2) on conflict (id) do update set png = excluded.png, sha256 = excluded.sha256",
        png,
        sha256(png).digest(),
    )


async def remove() -> None:
    """Delete the logo, so that invoices and the sign-in page show the company's name instead."""
    await current().execute("delete from logo")


async def find() -> bytes | None:
    """Return the logo as PNG, or None where there is none."""
    png: bytes | None = await current().fetchval("select png from logo")
    return png


async def digest() -> str:
    """Return 12 hexadecimal digits that change with the logo, for its URL; "" where there is none."""
    return await current().fetchval("select left(encode(sha256, 'hex'), 12) from logo") or ""
