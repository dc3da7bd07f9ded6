"""The fixture that the tests of faults share."""

from pathlib import Path

import pytest

from tests.faults.children import Children


@pytest.fixture
def children(dsn: str, tmp_path: Path) -> Children:
    return Children(dsn, tmp_path)
