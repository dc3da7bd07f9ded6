"""Test rules about the code that a program can check: imports, where queries may be, and forbidden constructs."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.billing.documents import document
from tests.every import on_every

ROOT = Path(__file__).resolve().parent.parent
PORTAL = ROOT / "portal"
MODULES = sorted(PORTAL.rglob("*.py"))
AREAS = [path for path in MODULES if path.relative_to(PORTAL).parts[0] in ("customer", "agent")]
DOMAIN = [
    path
    for path in MODULES
    if path.relative_to(PORTAL).parts[0] in ("people", "contracts", "desk", "timekeeping", "billing", "notices")
]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(path: Path) -> Iterator[tuple[int, str, ast.Call]]:
    """Yield each call in a module: its line, the dotted name of the called function, and the AST node."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func), node


@pytest.mark.slow
def test_every_part_imports_downward_only() -> None:
    """Modules import only from lower layers; a module that belongs to no layer fails this test."""
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@on_every(AREAS)
def test_the_areas_query_no_table_themselves(path: Path) -> None:
    """R23: the modules of `agent` and `customer` contain no SQL; they call functions that take the current user."""
    queries = (
        r"(^|\.)(select|objects|raw|fetch|fetchrow|fetchval|execute|executemany|insert|update|delete|exists|count)$"
    )
    found = [f"{line}: {name}" for line, name, _ in calls(path) if re.search(queries, name) and "()" not in name]
    assert found == []
    assert "portal.database" not in path.read_text() or re.search(
        r"from portal\.database import transaction$", path.read_text(), re.M
    )


@on_every(DOMAIN)
def test_the_domain_does_not_look_at_the_clock(path: Path) -> None:
    """The modules that hold the rules never read the clock; the current instant is passed to them."""
    clock = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "datetime.today"}
    assert [f"{line}: {name}" for line, name, _ in calls(path) if name in clock] == []
    sql_clock = re.compile(r"\b(now\(\)|current_timestamp|current_date|clock_timestamp)", re.I)
    assert not sql_clock.search(path.read_text())


@on_every([p for p in MODULES if "billing" in p.parts or p.name in ("money.py", "durations.py")])
def test_money_and_minutes_never_pass_through_floats(path: Path) -> None:
    """D1: the modules of billing, money and durations use no floats, so that amounts and minutes stay exact."""
    tree = ast.parse(path.read_text())
    floats = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    floats += [line for line, name, _ in calls(path) if name == "float"]
    assert floats == []


SAFE_PARTS = r"_?[A-Z][A-Z_]*(\[\w+(\.\w+)*\])?|(cls|\w+)\.visible\w*\(reader, '\w+'\)|_as\(reader\)|name|'READ.*"
"""Matches what may be interpolated into SQL: constants, conditions for the rows a reader may see, names of roles."""


@on_every(MODULES)
def test_no_sql_is_put_together_from_values(path: Path) -> None:
    """R48: only what `SAFE_PARTS` matches, such as constants of the module, is interpolated into SQL."""
    methods = ("fetch", "fetchrow", "fetchval", "execute", "executemany", "raw")
    for line, name, call in calls(path):
        if name.split(".")[-1] in methods and call.args and isinstance(call.args[0], ast.JoinedStr):
            parts = [ast.unparse(part.value) for part in call.args[0].values if isinstance(part, ast.FormattedValue)]
            loose = [part for part in parts if not re.fullmatch(SAFE_PARTS, part)]
            assert loose == [], f"{name_of(path)}:{line}"


LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@on_every(MODULES)
def test_a_loop_of_transactions_is_a_batch(path: Path) -> None:
    """Only the module `batches` opens transactions in a loop, because it reports the outcome for each object."""
    loops = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, LOOPS)]
    opened = {
        inner.lineno
        for loop in loops
        for inner in ast.walk(loop)
        if isinstance(inner, ast.Call) and ast.unparse(inner.func).split(".")[-1] in ("transaction", "unless_taken")
    }
    assert name_of(path) == "portal/database/batches.py" or opened == set()


def test_only_render_marks_text_as_safe() -> None:
    """R45: only the module `render` marks text as safe HTML."""
    for path in MODULES:
        if path.is_relative_to(PORTAL / "render"):
            continue
        assert "Markup(" not in path.read_text(), name_of(path)
    for path in (ROOT / "templates").rglob("*.html"):
        assert not re.search(r"\|\s*safe\b|autoescape\s+false", path.read_text()), path.name


def test_cookies_are_written_in_one_module() -> None:
    """R19: only one module sets cookies."""
    for path in MODULES:
        if path.name != "cookies.py":
            assert "set_cookie" not in path.read_text().replace("new_cookies", ""), name_of(path)
            assert "HttpOnly" not in path.read_text(), name_of(path)


@on_every(MODULES)
def test_no_module_is_a_dumping_ground(path: Path) -> None:
    """No module has more than 350 lines or a name for a mixture of things, such as `utils`."""
    assert len(path.read_text().splitlines()) <= 350
    assert path.stem not in ("utils", "helpers", "common", "base", "constants", "types", "misc")


def test_no_folder_is_a_dumping_ground() -> None:
    """A folder has at most 14 modules; `web`, `timekeeping` and `portal` itself may have more."""
    for folder in {path.parent for path in MODULES}:
        limit = {"web": 24, "timekeeping": 20, "portal": 30}.get(folder.name, 14)
        assert len(list(folder.glob("*.py"))) <= limit, name_of(folder)


def test_no_committed_file_names_a_registry() -> None:
    """No committed file contains the host name of a package registry."""
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com"]
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, files):
        text = (ROOT / name).read_bytes()
        assert not [host for host in hosts if host.encode() in text], name


def test_a_request_has_one_name_in_annotations() -> None:
    """Annotations use `Web` of `portal/web/visit.py` instead of Litestar's request with its three type parameters."""
    users = [path for path in (ROOT / "portal").rglob("*.py") if "Request[Any" in path.read_text()]
    assert users == [ROOT / "portal" / "web" / "visit.py"]


FIRST = [
    "people.customers",
    "people.contacts",
    "contracts.company",
    "desk",
    "timekeeping.entries",
    "billing.names",
    "web.gate",
]
IMPORTING = """
import importlib, os, sys, traceback
import babel.dates, litestar, piccolo.table, webauthn  # Loaded once, for all children.
failed = []
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module("portal." + name)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(" ".join(failed) or 0)
"""


@pytest.mark.slow
def test_a_module_can_be_imported_before_all_others() -> None:
    """Each module of `FIRST` can be imported before all others, which would fail if modules imported each other."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING, *FIRST], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_simulate_loads_neither_database_nor_pages(tmp_path: Path) -> None:
    """`portal simulate` starts quickly, because it loads the engine and no module for tables, jobs or requests."""
    (tmp_path / "document.json").write_text(json.dumps(document()))
    code = "import sys; from portal.__main__ import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code, "simulate", tmp_path / "document.json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "portal.billing.engine" in loaded
    assert loaded & {"portal.billing.names", "portal.database", "asyncpg", "piccolo", "pgqueuer", "litestar"} == set()
