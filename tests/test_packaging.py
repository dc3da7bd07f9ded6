"""Test the repository and the wheel: no registry host, no foreign files, and everything that the portal needs."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

import hatch_build
from portal.render import assets
from tests.look.gallery import FLAGS, executable

ROOT = Path(__file__).parent.parent
# The names are assembled from parts, so that this file does not contain them either.
HOSTS = ("py" + "pi.org", "python" + "hosted", "npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com")
THIRD_PARTY = re.compile(
    r"\.min\.(js|css)$|\.(woff2?|ttf|otf|whl)$|(^|/)node_modules/|^static/vendor/|^tests/vendor/|htmx[^/]*\.js$"
)


def committed() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: there is nothing to compare with")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_committed_file_names_a_registrys_host() -> None:
    found = [
        f"{name}: {host}"
        for name in committed()
        for host in HOSTS
        if host.encode() in (ROOT / name).read_bytes().lower()
    ]
    assert found == []


def test_nothing_of_others_is_committed() -> None:
    assert [name for name in committed() if THIRD_PARTY.search(name)] == []


def test_the_locks_have_a_hash_for_everything_and_no_address() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--index" not in text
        blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
        assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    for lock in ("package-lock.json", "benchmarks/package-lock.json"):
        packages = json.loads((ROOT / lock).read_text())["packages"]
        assert all("integrity" in package and "resolved" not in package for path, package in packages.items() if path)


def test_the_runtime_lock_is_part_of_the_other() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==[^ ;\\]+)", (ROOT / name).read_text(), flags=re.MULTILINE))

    assert pins("requirements.txt") < pins("requirements-dev.txt")


def test_build_requirements_are_pinned_and_locked_by_hash() -> None:
    required = re.search(r"^requires = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert required
    for pin in re.findall(r'"([^"]+)"', required[1]):
        assert re.fullmatch(r"[a-z-]+==[0-9.]+", pin)
        assert f"{pin} \\" in (ROOT / "requirements-dev.txt").read_text()


def test_every_asset_that_is_named_is_there() -> None:
    named = [*hatch_build.PAGE_FILES, *hatch_build.PYTHON_FILES, "ttf/letters.txt"]
    missing = [name for name in named if not (ROOT / "static" / "vendor" / name).is_file()]
    assert missing == []


def test_filling_again_from_the_same_lock_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object, **__: object) -> Path:
        raise AssertionError("nothing has changed")

    monkeypatch.setattr(hatch_build, "_fetch", fetch)
    assert not hatch_build.fill_pages()


def test_every_font_of_documents_comes_with_its_licence() -> None:
    fonts = {path.name.split("-")[0] for path in (ROOT / "static" / "vendor" / "ttf").glob("*.tt[fc]")}
    assert fonts == {
        "Inter",
        "NotoSansArabic",
        "NotoSansCJK",
        "NotoSansDevanagari",
        "NotoSansHebrew",
        "NotoSansTamil",
        "NotoSansThai",
    }
    licences = {path.stem for path in (ROOT / "static" / "vendor" / "licences").iterdir()}
    assert licences >= {"inter-ttf"} | {f"noto-sans-{name[8:].lower()}" for name in fonts if name.startswith("Noto")}


@pytest.mark.slow
@pytest.mark.infra
def test_the_wheel_carries_templates_static_and_migrations(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in hatch_build.SHIPPED:
        own = {
            f"portal/{path.relative_to(ROOT)}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
        }
        assert own
        assert own <= names
    assert "portal/static/vendor/htmx.min.js" in names
    assert {f"portal/static/built/{name}{ending}" for name in assets.BUNDLES for ending in ("", ".br", ".gz")} <= names
    assert "portal/static/built/.stamp" in names
    assert "portal/__main__.py" in names
    assert not any(name.startswith("tests/") for name in names)


RULES = """text => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    const told = rule => [
        rule.selectorText ?? rule.conditionText ?? rule.name ?? "", [...(rule.style ?? [])].sort(), [...(rule.cssRules ?? [])].map(told)
    ];
    return JSON.stringify([...sheet.cssRules].map(told));
}"""


@pytest.mark.browser
@pytest.mark.slow
def test_the_minified_style_sheet_has_the_same_rules() -> None:
    """The minified style sheet has every rule of its sources.

    Some minifiers drop the blank in a nested `.folds :is(tbody)`, which changes the selector.
    """
    hatch_build.build(ROOT / "static")
    sources = assets.joined(ROOT / "static", "style.css").decode()
    minified = (ROOT / "static" / "built" / "style.css").read_text()
    assert len(minified) < len(sources) * 0.85
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        page = browser.new_page()
        assert page.evaluate(RULES, minified) == page.evaluate(RULES, sources)
        browser.close()
