"""Test that the SQL of each package reads only the package's own tables and tables of packages in lower layers."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.piccolo_app import APP_CONFIG

ROOT = Path(__file__).resolve().parent.parent
PORTAL = ROOT / "portal"

WITHOUT_CLASS = {
    "outbox": {"outbox"},
    "jobs": {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"},
    "audit": {"audit"},
    "database": {"migration"},
    "contracts": {"service_designation"},
    "desk": {"case_words", "deadline_recount", "dispatch_turn", "help_text", "help_reading", "help_views", "redaction"},
    "timekeeping": {"entry_version", "submission", "time_sum"},
    "billing": {"approval", "rejection", "reopened_entry"},
    "notices": {"warning"},
}  # fmt: skip
"""By package, the tables that it owns and that have no table class."""

READ_AFTER = re.compile(r"\b(?:from|join|into|update|using)\s+(?:only\s+)?\"?([a-z_]+)", re.IGNORECASE)
ENDS_BEFORE_A_TABLE = re.compile(
    r"\b(?:select|insert|delete)\b.*\b(?:from|join|into|using)\s+$|^\s*update\s+$", re.IGNORECASE | re.DOTALL
)


def package_of(path: Path) -> str:
    """Return the package of a module below `portal`, or the module's own name if it is in no package."""
    return path.relative_to(PORTAL).parts[0].removesuffix(".py")


def levels() -> dict[str, int]:
    """Return the height of each package in the layers of the import contract in pyproject.toml, 0 for the lowest."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("id") == "layers")
    return {
        package.strip("() "): height
        for height, layer in enumerate(reversed(layers))
        for package in re.split(r"[|:]", layer)
    }


def owners() -> dict[str, str]:
    """Return the package that owns each table: the package of its table class, or the package in `WITHOUT_CLASS`."""
    found = {table: package for package, tables in WITHOUT_CLASS.items() for table in tables}
    for table in APP_CONFIG.table_classes:
        name = table._meta.tablename
        assert name not in found, f"{name} has a table class, so it needs no line in WITHOUT_CLASS"
        found[name] = table.__module__.split(".")[1]
    return found


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string constant except docstrings, including the pieces of f-strings."""
    documentation = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(body := getattr(node, "body", None), list)
        for statement in body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def tables_read(tree: ast.AST, known: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each table of `known` that SQL in the module reads or writes.

    If a string in the module ends in a word such as `from`, each string that is only a table's name counts too, because
    the module may put the two strings together.
    """
    found = list(strings(tree))
    is_composed = any(ENDS_BEFORE_A_TABLE.search(text) for _, text in found)
    for line, text in found:
        for name in READ_AFTER.findall(text):
            if name in known:
                yield line, name
        if is_composed and text.strip() in known:
            yield line, text.strip()


def test_no_package_reads_a_table_of_a_package_above_it() -> None:
    owner, height = owners(), levels()
    wrong = [
        f"{path.relative_to(ROOT)}:{line} reads {table} of {owner[table]}"
        for path in sorted(PORTAL.rglob("*.py"))
        for line, table in tables_read(ast.parse(path.read_text()), owner)
        if height.get(package_of(path), 99) < height[owner[table]]
    ]
    assert wrong == []


async def test_every_table_of_the_database_has_a_package(dsn: str) -> None:
    """Every table of the database has a table class or is listed in `WITHOUT_CLASS`, and every listed table exists."""
    async with transaction(SYSTEM) as tx:
        rows = await tx.fetch("select tablename from pg_tables where schemaname = 'public'")
    assert {row["tablename"] for row in rows} == set(owners())


@pytest.mark.parametrize(
    "code",
    [
        'sql = "select 1 from time_entry e"',
        'sql = f"select {1} from cases c left join time_entry e on true"',
        "sql = f\"select 1 from {'time_entry'}\"",
        'table = "time_entry"\nsql = f"select 1 from {table}"',
        'sql = "update time_entry set minutes = 1"',
        'sql = "DELETE FROM only time_entry"',
        'sql = "insert into " + "time_entry" + " default values"',
    ],
)
def test_a_table_is_found_however_the_sql_is_put_together(code: str) -> None:
    assert {table for _, table in tables_read(ast.parse(code), {"time_entry": "timekeeping"})} == {"time_entry"}


def test_a_docstring_is_no_sql() -> None:
    code = '"""Read from time_entry."""\ndef f():\n    """Join time_entry."""'
    assert list(tables_read(ast.parse(code), {"time_entry": "timekeeping"})) == []
