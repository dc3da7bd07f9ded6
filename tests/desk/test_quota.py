"""How much of the disk one customer may fill."""

from pathlib import Path

import pytest

from portal.database import transaction
from portal.desk import attachments
from portal.errors import Full
from portal.storage import open_storage
from tests.desk.files import upload
from tests.desk.test_messages import LATER, opened
from tests.world import ADA


@pytest.mark.usefixtures("dsn")
async def test_files_beyond_the_customers_share_are_refused_and_the_text_is_not_sent(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R58."""
    storage = open_storage(f"file://{files}")
    monkeypatch.setattr(attachments, "QUOTA", 20)
    case = await opened(files=[await upload(storage, ADA, content=b"fourteen bytes")])
    more = await upload(storage, ADA, content=b"7 bytes")
    with pytest.raises(Full):
        async with transaction(ADA):
            await case.reply(by=ADA, text="One more.", files=[more], at=LATER)
    async with transaction(ADA, readonly=True) as tx:
        assert await tx.fetchval("select count(*) from message where text = 'One more.'") == 0
    fitting = await upload(storage, ADA, content=b"6 more")
    async with transaction(ADA):
        await case.reply(by=ADA, text="One more.", files=[fitting], at=LATER)
