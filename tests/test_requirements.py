"""Test that each rule code in use is listed in docs/requirements.md, and that a test names each rule that works."""

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = r"(?:S[0-4]\.[1-9][0-9]?|[CDR][1-9][0-9]?)"
LINE = re.compile(rf"^- \*\*({CODE})\*\* \((works|not yet|left out: [^)]+)\) (\S.*)$")
NAMED = re.compile(rf"(?<![\w.#/-])({CODE})(?:(?: to | ?- ?)({CODE}))?(?![\w-])")
"""Matches a rule code, or a range of codes such as `S1.14 to S1.16`."""
NOT_OURS = {
    "docs/requirements.md",
    "requirements.txt",
    "requirements-dev.txt",
    "package-lock.json",
    "tests/test_requirements.py",
}


def listed() -> dict[str, str]:
    """Return the state of each rule code of docs/requirements.md, in the order of the file."""
    lines = (ROOT / "docs" / "requirements.md").read_text().splitlines()
    rules = [LINE.match(line) for line in lines if line.startswith("- **") and line[4].isupper()]
    assert all(rules), "a line does not read `- **CODE** (state) Sentence`"
    found = [rule.group(1, 2) for rule in rules if rule]
    assert len(found) == len(dict(found)), "a code is listed twice"
    return dict(found)


def span(first: str, last: str) -> list[str]:
    """Return the codes from `first` to `last`, which must have the same prefix: `R1`, `R3` gives `R1`, `R2`, `R3`."""
    prefix, low = re.fullmatch(r"(\w\d?\.|\w)(\d+)", first).groups()  # type: ignore[union-attr]
    high = last.removeprefix(prefix)
    return [f"{prefix}{number}" for number in range(int(low), int(high) + 1)]


def named_in(text: str) -> set[str]:
    """Return the rule codes that a text names, including every code of the ranges in it."""
    return {code for first, last in NAMED.findall(text) for code in (span(first, last) if last else [first])}


def committed(*patterns: str) -> list[Path]:
    """Return the committed text files that match these patterns of `git ls-files`, except those in `NOT_OURS`."""
    shown = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in shown.stdout.split("\0") if name and name not in NOT_OURS]


def docstrings(path: Path) -> str:
    """Return the docstrings of a test module and of its tests as one text."""
    tree = ast.parse(path.read_text())
    nodes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))]
    return "\n".join(ast.get_docstring(node) or "" for node in nodes)


def test_every_code_that_is_used_is_listed() -> None:
    """Every rule code that the code or a test names is listed in docs/requirements.md."""
    known = set(listed())
    for path in committed("*.py", "*.html", "*.js", "*.css", "*.md", "*.typ", "dev"):
        text = path.read_text()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "tests"):
            text = docstrings(path)
        unknown = named_in(text) - known
        assert unknown == set(), (
            f"{path.relative_to(ROOT)} names {sorted(unknown)}, which docs/requirements.md does not list"
        )


def test_every_rule_that_works_is_proved() -> None:
    """Every rule with the state *works* is named in the docstring of a test."""
    proved = set[str]().union(*(named_in(docstrings(path)) for path in committed("tests/*.py", "tests/**/*.py")))
    claimed = {code for code, state in listed().items() if state == "works"}
    assert claimed - proved == set()


def test_the_list_is_complete() -> None:
    """The list of rules has every number of each group from the first to the last."""
    codes = listed()
    for prefix, last in {"S0.": 32, "S1.": 24, "S2.": 45, "S3.": 48, "S4.": 28, "C": 12, "D": 58, "R": 96}.items():
        assert [code for code in codes if code.startswith(prefix)] == [f"{prefix}{n}" for n in range(1, last + 1)]
