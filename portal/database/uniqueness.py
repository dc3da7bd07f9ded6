"""Turn a violation of a unique index, an exclusion constraint or a foreign key into an error message at a form's field."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from portal.database import Transaction, current, transaction
from portal.errors import Invalid


@contextlib.asynccontextmanager
async def unless_taken(field: str, sentence: str) -> AsyncIterator[Transaction]:
    """Run the block, one insert or update, in a savepoint.

    Raise `Invalid` with the message `sentence` at the field `field` if a unique index or an exclusion constraint
    rejects the row. The transaction can then go on, because only the savepoint is rolled back.
    """
    try:
        async with transaction(current().reader) as tx:
            yield tx
    except (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError) as error:
        raise Invalid({field: sentence}) from error


@contextlib.asynccontextmanager
async def unless_gone(field: str, sentence: str) -> AsyncIterator[Transaction]:
    """Run the block as `unless_taken` does, but raise `Invalid` if a foreign key rejects the row.

    That happens if the row to which the new row refers was deleted in the meantime.
    """
    try:
        async with transaction(current().reader) as tx:
            yield tx
    except asyncpg.ForeignKeyViolationError as error:
        raise Invalid({field: sentence}) from error
