"""Test the URL of a case or document in the other area; tests/test_permissions.py tests who is redirected to it."""

from uuid import UUID

import pytest

from portal.people.readers import Reader
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ADA, NOOR


@pytest.mark.parametrize("path", ["/cases/4711", "/cases/none", "/invoices/2026-9999", f"/statements/{UUID(int=7)}"])
@pytest.mark.parametrize(("reader", "area"), [(NOOR, ""), (ADA, "/agent")], ids=["agent", "contact"])
async def test_what_does_not_exist_is_not_found_in_the_other_area_either(
    app: Gate, path: str, reader: Reader, area: str
) -> None:
    async with await Browser.of(app, reader) as browser:
        assert (await browser.get(area + path)).status_code == 404
