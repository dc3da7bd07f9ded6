"""Test that a form without one of its fields, as a script or a browser extension may send it, causes no server error."""

from typing import Any

import pytest

from portal.web.gate import Gate
from tests.examples import ALL, turns
from tests.forms import forms_of
from tests.pages import MORE, pages_of
from tests.places import furnished
from tests.test_permissions import SIGNING_OUT, browser_of

pytestmark = [pytest.mark.usefixtures("clock"), pytest.mark.slow]

PARTS = 12
"""The number of parts into which the fields are divided. Without `--all`, each day tests one part."""


async def left_out_of_each_form(app: Gate, actor: str, part: int | None) -> list[Any]:
    """Send each form on the pages of `actor` once for each of its fields, without that field.

    If `part` is not None, only one in `PARTS` of these fields is left out; `part` chooses which. Return action, field
    and status of each request that got a server error.
    """
    places, wrong, seen = await furnished(app.storage), [], set[tuple[str, str]]()
    async with await browser_of(app, actor) as browser:
        for path in [*map(places.address, pages_of(actor)), *MORE[actor]]:
            page = await browser.get(path)
            if page.status_code != 200:
                continue
            for form in forms_of(page.text):
                for name in sorted(set(form.fields) - {"csrf"}):
                    if (form.action.partition("?")[0], name) in seen or form.action.startswith(SIGNING_OUT):
                        continue
                    seen.add((form.action.partition("?")[0], name))
                    if part is not None and len(seen) % PARTS != part:
                        continue
                    sent = {key: values for key, values in form.fields.items() if key != name}
                    answer = await browser.post(form.action or path, data=sent, headers={"referer": str(page.url)})
                    if answer.status_code >= 500:
                        wrong.append((form.action, name, answer.status_code))
    assert len(seen) > 30
    return wrong


@pytest.mark.parametrize("actor", ["Ada", "Noor"])
async def test_no_form_fails_without_one_of_its_fields(app: Gate, actor: str) -> None:
    """R50: a form that lacks one of its fields is accepted or refused, but never answered with a server error (5xx)."""
    wrong = await left_out_of_each_form(app, actor, None if ALL else turns(range(PARTS), 1)[0])
    assert wrong == [], "\n".join(map(str, wrong))
