"""Every page once in a real browser: no violation of accessibility, nothing wider than a phone, nothing that the policy forbids."""

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Visitors

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_signing_in_and_out_works_with_and_without_javascript(visitors: Visitors) -> None:
    for javascript in (True, False):
        page = await visitors.signed_in("ada@acme.example", javascript=javascript)
        await expect(page.get_by_role("navigation").first).to_be_visible()
