"""The fixture that the tests of faults share."""

from pathlib import Path

import pytest

from tests.faults.yard import Yard


@pytest.fixture
def yard(dsn: str, tmp_path: Path) -> Yard:
    return Yard(dsn, tmp_path)
