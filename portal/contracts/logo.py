"""The logo of the company, for invoices and the sign-in page. What is kept was made by us, never what was sent (R59)."""

from hashlib import sha256

from portal.database import current
from portal.errors import Conflict, Invalid
from portal.render import documents


async def change(content: bytes) -> None:
    """Make a PNG of the picture, which is PNG or SVG, and keep it in the place of the logo. Issued invoices keep theirs.

    Raises `Invalid` (`logo`), `Conflict` until the company is set up.
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
    """Go back to the name of the company in the place of a logo."""
    await current().execute("delete from logo")


async def find() -> bytes | None:
    """Return the PNG, None where there is none."""
    png: bytes | None = await current().fetchval("select png from logo")
    return png


async def digest() -> str:
    """Return what tells one logo from the next in its address, "" where there is none."""
    return await current().fetchval("select left(encode(sha256, 'hex'), 12) from logo") or ""
