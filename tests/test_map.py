"""Test that docs/architecture.md, the map of the code, names only what exists, and names the folders that are full."""

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "docs" / "architecture.md"
FULL = 14
"""The maximum number of modules of a folder. For a few folders, `tests/test_architecture.py` allows more."""


@cache
def committed() -> tuple[str, ...]:
    """Return the paths of all committed files and of new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


@cache
def words() -> frozenset[str]:
    """Return all words of the code, the templates, the migrations, the tests and the settings of the project."""
    read = (".py", ".html", ".css", ".js", ".toml", ".txt", ".json")
    files = [name for name in committed() if name.endswith(read) and name != "tests/test_map.py"]
    return frozenset(word for name in files for word in re.findall(r"\w+", (ROOT / name).read_text()))


def is_known(name: str) -> bool:
    """Return whether a name in backticks exists: a file, a folder, a migration, or words that all occur in the code."""
    if re.fullmatch(r"m\d{4}", name):
        return any(path.startswith(f"migrations/{name}_") for path in committed())
    if re.fullmatch(r"[\w./]+\.(py|html|md|css|toml)|[\w/]+/", name):
        path = name.removesuffix("/")
        return (ROOT / path).exists() or any(
            one.endswith(f"/{path}") or f"/{path}/" in f"/{one}" for one in committed()
        )
    if name.startswith(("portal/", "templates/", "tests/")):
        return (ROOT / name).exists()
    return all(word in words() for word in re.findall(r"[A-Za-z_]\w+", name))


def test_the_map_names_only_what_exists() -> None:
    """Each file, function, constant and table that the map names in backticks exists."""
    names = set(re.findall(r"`([^`\n]+)`", MAP.read_text()))
    not_names = {name for name in names if re.match(r"git grep|portal |_x\.html$|.*[<*]", name)}
    assert len(names) > 500
    assert sorted(name for name in names - not_names if not is_known(name)) == []


def test_every_link_of_the_map_leads_to_a_heading_or_a_file() -> None:
    text = MAP.read_text()
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.M)
    }
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    for link in links:
        assert link[1:] in headings if link.startswith("#") else (MAP.parent / link).exists(), link


def test_the_map_names_every_folder_that_takes_no_further_module() -> None:
    """The map names exactly the full folders, so that newcomers know of them before a test refuses a further module."""
    text = MAP.read_text()
    told = text[text.index("### Steps that many changes share") : text.index("#### A table or a column")]
    folders = {path.parent for path in (ROOT / "portal").rglob("*.py")} - {ROOT / "portal"}
    full = {folder.relative_to(ROOT) for folder in folders if len(list(folder.glob("*.py"))) >= FULL}
    assert {str(folder) for folder in full} == set(re.findall(r"`(portal/[\w/]+)`", told))


def test_the_map_names_the_newest_migration_of_a_function() -> None:
    """If the map names the newest migration of a function or view, no later migration replaces the function or view.

    A developer who replaces the function starts from its text in that migration.
    """
    text = re.sub(r"\s+", " ", MAP.read_text())
    told = re.findall(r"`(\w+)(?:\(\))?` \(newest in `(m\d{4})`", text)
    assert len(told) > 4
    for name, migration in told:
        made = re.compile(rf"create (?:or replace )?(?:function|view) {name}\b")
        files = [path.name for path in sorted((ROOT / "migrations").glob("m*.py")) if made.search(path.read_text())]
        assert files[-1].startswith(f"{migration}_"), (name, files[-1])
