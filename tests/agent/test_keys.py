"""Test that the help page lists every keyboard shortcut."""

import re
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
TABLE = set(re.findall(r'\["([^"]+)"(?:, "([^"]+)")?\]', (TEMPLATES / "agent" / "_keys_help.html").read_text()))


def test_no_page_has_a_key_that_the_table_does_not_have() -> None:
    listed = {key.lower() for keys in TABLE for key in keys if key}
    used = {
        (path.name, key.lower())
        for path in TEMPLATES.rglob("*.html")
        for key in re.findall(r'data-key="([^"{]+)"|key="([a-z/])"', path.read_text())
        for key in key
        if key
    }
    assert used
    assert {(name, key) for name, key in used if key not in listed} == set()


def test_the_table_of_customers_lists_only_keys_of_the_table_of_agents() -> None:
    """Each keyboard shortcut in the customers' help, which includes `?`, is in the agents' help too.

    The layout of the customers' pages includes this help.
    """
    customers = (TEMPLATES / "customer" / "_keys_help.html").read_text()
    keys = set(re.findall(r'\["([^"]+)"(?:, "([^"]+)")?\]', customers))
    assert ("?", "") in keys
    assert keys <= TABLE
    assert '{% include "customer/_keys_help.html" %}' in (TEMPLATES / "customer" / "layout.html").read_text()
