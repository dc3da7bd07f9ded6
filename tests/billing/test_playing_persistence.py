"""Test that database and engine agree, with whole input documents of `portal simulate`.

Each step of a document is taken with the functions of `portal.billing`, and the stored rows are compared with the
result of the engine. The documents are our own, those of the specification if they are present, and random ones.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from portal.billing.simulate.json_text import parse
from portal.database import current, transaction
from tests.billing.chance import Chance
from tests.billing.playing import Player
from tests.billing.test_scenarios import DOCUMENTS
from tests.world import NOOR


class Over(Exception):
    """Raised to end a transaction without committing it."""


async def played(document: Mapping[str, Any]) -> None:
    """Take all steps of an input document in a transaction (`Player`), check all deferred constraints, and roll back.

    Two things that the portal does not have are replaced first: other VAT categories by S, and the empty name of an
    agent by "!".
    """
    entries = [entry | {"agent": entry["agent"] or "!"} for entry in document["entries"]]
    document = {**document, "vat": {**document["vat"], "category": "S"}, "entries": entries}
    with pytest.raises(Over):
        async with transaction(NOOR):
            await (await Player.seated(document)).play()
            await current().execute("set constraints all immediate")
            raise Over


PLAIN = [path for path in DOCUMENTS if '"extended"' not in path.read_text("utf-8")]


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name.removesuffix(".in.json"))
async def test_a_document_gives_the_same_through_the_verbs(path: Path, dsn: str) -> None:
    """R94, D20, D22: approvals, withdrawals, releases and runs store what the engine computes from the document."""
    await played(parse(path.read_bytes()))  # noqa: ASYNC240


@pytest.mark.parametrize("seed", range(20))
async def test_a_random_document_gives_the_same_through_the_verbs(seed: int, dsn: str) -> None:
    """R94, D20, D22, D47: after each step of a random document, the stored rows are those that the engine computes."""
    await played(Chance(seed).document())


@pytest.mark.long
async def test_500_random_documents_give_the_same_through_the_verbs(dsn: str) -> None:
    """R94, D20, D22, D47: after each step of 500 random documents, the stored rows are those that the engine computes.

    The first seed is the environment variable `PORTAL_TEST_SEED`, or 1000.
    """
    first = int(os.environ.get("PORTAL_TEST_SEED", "1000"))
    for seed in range(first, first + 500):
        try:
            await played(Chance(seed).document())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
