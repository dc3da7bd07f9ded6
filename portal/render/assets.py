"""Static files: their URLs with a hash, the bundles that pages load, and the compressed copies of the build.

Pages load the bundles `style.css` and `script.js`, each joined from the files in `BUNDLES`. The build
(`hatch_build.py`) minifies and compresses them into `static/built`. The build loads this file by its path, without the
package, so this module imports the standard library only. If `static/built` was not made from the current sources, as
in development, a bundle is joined on the first request for it.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

BUNDLES = {
    "style.css": ("css/tokens.css", "css/base.css", "css/layout.css", "css/components.css", "css/pages.css"),
    # htmx and its extension for server-sent events are in one file, because deferred scripts run one after another and
    # the extension must be loaded when htmx starts.
    "script.js": (
        "vendor/htmx.min.js",
        "vendor/hx-sse.min.js",
        "js/theme.js",
        "js/opening.js",
        "js/writing.js",
        "js/fields.js",
        "js/finder.js",
        "js/mentions.js",
        "js/grid.js",
        "js/keys.js",
        "js/live.js",
        "js/timer.js",
    ),
}
BUILT = "built"
STAMP = ".stamp"
ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""The content codings that the build writes, the preferred one first, each with the suffix of its files."""

_URL = re.compile(r"""url\("(?!data:)([^"]+)"\)""")


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file: content, hash, and the compressed copies that exist, by content coding (`br`, `gzip`)."""

    content: bytes
    digest: str
    encoded: dict[str, bytes] = field(default_factory=dict)


def digest_of(content: bytes) -> str:
    """Return the hash of a file's content, 12 hexadecimal digits, which becomes part of the file's URL."""
    return blake2b(content, digest_size=6).hexdigest()


def address(root: Path, name: str) -> str:
    """Return the URL `/static/NAME?v=HASH` of a file or bundle below `root`.

    Raise `FileNotFoundError` if there is no such file or bundle.
    """
    return f"/static/{name}?v={asset(root, name).digest}"


def asset(root: Path, name: str) -> Asset:
    """Return the file or bundle called `name` below `root`. Each file and bundle is read once per process.

    Raise `FileNotFoundError` if there is no such file or bundle, or if `name` leads outside `root`.
    """
    if name in BUNDLES:
        return _asset(root, name)
    try:
        file = (root / name).resolve()
        found = file.is_relative_to(root.resolve()) and file.is_file()
    except (OSError, ValueError) as error:  # The name is too long for a file name or contains a NUL.
        raise FileNotFoundError(name) from error
    if not found:
        raise FileNotFoundError(name)
    return _asset(root, file.relative_to(root.resolve()).as_posix())


@lru_cache(maxsize=512)
def _asset(root: Path, name: str) -> Asset:
    built = root / BUILT
    if not _is_current(root):
        content = joined(root, name) if name in BUNDLES else (root / name).read_bytes()
        return Asset(content, digest_of(content))
    content = ((built if name in BUNDLES else root) / name).read_bytes()
    copies = {coding: built / f"{name}{ending}" for coding, ending in ENCODINGS.items()}
    encoded = {coding: copy.read_bytes() for coding, copy in copies.items() if copy.is_file()}
    return Asset(content, digest_of(content), encoded)


def joined(root: Path, bundle: str) -> bytes:
    """Return the content of a bundle: its source files, joined in the order of `BUNDLES`.

    In style sheets, each `url()` gets the hash of the file to which it points, so that the URL changes with that file.
    """
    return b"\n".join(_readdressed(root, source) for source in BUNDLES[bundle])


def _readdressed(root: Path, source: str) -> bytes:
    content = (root / source).read_bytes()
    if not source.endswith(".css"):
        return content

    def hashed(found: re.Match[str]) -> str:
        named = (root / source).parent / found[1]
        name = named.resolve().relative_to(root.resolve()).as_posix()
        return f'url("/static/{name}?v={digest_of(named.read_bytes())}")'

    return _URL.sub(hashed, content.decode()).encode()


def compressible(root: Path) -> list[str]:
    """Return the names of the files below `root` that the build compresses besides the bundles: scripts and SVGs.

    Fonts are compressed already.
    """
    files = (*root.glob("*.svg"), *(root / "js").glob("*.js"))
    bundled = {source for sources in BUNDLES.values() for source in sources}
    names = sorted(file.relative_to(root).as_posix() for file in files)
    return [name for name in names if name not in bundled]


def fingerprint(root: Path) -> str:
    """Return one hash of all files that the build reads. The build stores it in the file `.stamp`."""
    contents = [joined(root, bundle) for bundle in BUNDLES]
    contents += [name.encode() + (root / name).read_bytes() for name in compressible(root)]
    return digest_of(b"\0".join(contents))


@lru_cache(maxsize=8)
def _is_current(root: Path) -> bool:
    """Return whether `static/built` was made from the current sources."""
    stamp = root / BUILT / STAMP
    return stamp.is_file() and stamp.read_text() == fingerprint(root)
