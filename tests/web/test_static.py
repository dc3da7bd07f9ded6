"""Test static files: their URLs contain a hash, they are cached for ever, and a build contains compressed copies."""

import gzip
import re
import shutil
from pathlib import Path

import brotli
import pytest

from portal.render import assets, folder, static
from portal.web.gate import Gate
from tests.browser import Browser

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "static"
NAMED = re.compile(r"""/static/([^"'?)\s]+)""")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Return a static folder with a build: minified files, which differ from their sources, and compressed copies."""
    root = tmp_path / "static"
    shutil.copytree(STATIC, root, ignore=shutil.ignore_patterns("built", "ttf"))
    (root / "built").mkdir()
    for name in assets.BUNDLES:
        content = assets.joined(root, name).replace(b"  ", b"")
        (root / "built" / name).write_bytes(content)
        (root / "built" / f"{name}.br").write_bytes(brotli.compress(content))
        (root / "built" / f"{name}.gz").write_bytes(gzip.compress(content))
    (root / "built" / ".stamp").write_text(assets.fingerprint(root))
    return root


def test_no_template_style_or_script_names_a_static_file_without_its_hash() -> None:
    sources = [*(ROOT / "templates").rglob("*.*"), *(STATIC / "css").iterdir(), *(STATIC / "js").iterdir()]
    assert len(sources) > 50
    assert [str(path) for path in sources if NAMED.search(path.read_text())] == []
    scripts = [path for path in sources if path.suffix == ".js"]
    assert [
        path.name for path in scripts if re.search(r"^\s*(import|export)\b|\bimport\(", path.read_text(), re.M)
    ] == []


def test_a_style_sheet_names_files_by_addresses_with_the_right_hash() -> None:
    text = assets.joined(folder("static"), "style.css").decode()
    addresses = re.findall(r'url\("([^"]+)"\)', text)
    files = [address for address in addresses if not address.startswith("data:")]
    assert len(files) >= 3
    assert files == [static(address.removeprefix("/static/").partition("?")[0]) for address in files]


async def test_a_file_is_kept_for_good_under_the_right_hash_only(app: Gate) -> None:
    """A static file is cached for ever only if the hash in the URL is the hash of the file that is sent.

    During an upgrade, a process of the old version may be asked for a file by the hash of the new version. The old file
    that it sends must not be cached under the new hash.
    """
    async with Browser(app) as browser:
        for name in ("style.css", "script.js", "favicon.svg", "js/passkeys.js", "vendor/fonts/inter-latin.woff2"):
            kept = await browser.get(static(name))
            assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
            for other in (f"/static/{name}", f"/static/{name}?v=0123456789ab", f"/static/{name}?v="):
                assert (await browser.get(other)).headers["cache-control"] == "no-cache"


def test_a_build_of_these_sources_is_sent_and_one_of_others_is_not(built: Path) -> None:
    sent = assets.asset(built, "style.css")
    assert sent.content == (built / "built" / "style.css").read_bytes()
    assert brotli.decompress(sent.encoded["br"]) == gzip.decompress(sent.encoded["gzip"]) == sent.content
    sheet = built / "css" / "base.css"
    sheet.write_text(sheet.read_text() + "\n.added { color: red; }\n")
    assets._asset.cache_clear()
    assets._is_current.cache_clear()
    edited = assets.asset(built, "style.css")
    assert edited.content.endswith(assets.joined(built, "style.css")[-40:])
    assert b".added" in edited.content
    assert edited.encoded == {}


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("", None), ("identity", None)],
)
async def test_the_copy_is_sent_that_the_browser_takes(
    app: Gate, built: Path, monkeypatch: pytest.MonkeyPatch, accepts: str, coding: str | None
) -> None:
    monkeypatch.setattr("portal.web.files.folder", lambda _: built)
    async with Browser(app) as browser:
        answer = await browser.get(assets.address(built, "style.css"), headers={"accept-encoding": accepts})
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == (built / "built" / "style.css").read_bytes()


@pytest.mark.parametrize(
    "name", ["../pyproject.toml", "css/../../pyproject.toml", "css", "", "no-such.css", "%00", "a" * 5000]
)
def test_nothing_else_is_a_static_file(name: str) -> None:
    with pytest.raises(FileNotFoundError):
        assets.asset(folder("static"), name)
