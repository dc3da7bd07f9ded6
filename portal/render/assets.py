"""Static files: their addresses, which carry a hash, the bundles that pages load, and the compressed copies that the build makes.

Pages name `style.css` and `script.js`, which are joined from the files below. The build (`hatch_build.py`, which loads this module by its
path, so it imports the standard library only) joins, minifies and compresses them into `static/built`. Where there is no build, or one of
other sources, the bundles are joined when they are first asked for, so that development needs none.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

BUNDLES = {
    "style.css": ("css/tokens.css", "css/base.css", "css/layout.css", "css/components.css", "css/pages.css"),
    # htmx and its extension stand in one file: a deferred htmx begins in a task of its own, when the extension has to be there.
    "script.js": (
        "vendor/htmx.min.js",
        "vendor/hx-sse.min.js",
        "js/theme.js",
        "js/opening.js",
        "js/writing.js",
        "js/fields.js",
        "js/finder.js",
        "js/keys.js",
        "js/live.js",
    ),
}
BUILT = "built"
STAMP = ".stamp"
ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""The content codings that the build writes, the preferred one first, with the endings of their files."""

_URL = re.compile(r"""url\("(?!data:)([^"]+)"\)""")


@dataclass(frozen=True, slots=True)
class Asset:
    """The content of a static file, its hash, and the same content by content coding (`br`, `gzip`) where the build compressed it."""

    content: bytes
    digest: str
    encoded: dict[str, bytes] = field(default_factory=dict)


def digest_of(content: bytes) -> str:
    """Return the hash that stands in a file's address."""
    return blake2b(content, digest_size=6).hexdigest()


def address(root: Path, name: str) -> str:
    """Return `/static/NAME?v=HASH` for a file or bundle below `root`. Raises `FileNotFoundError` where there is none."""
    return f"/static/{name}?v={asset(root, name).digest}"


def asset(root: Path, name: str) -> Asset:
    """Return the file or bundle called `name`, read once a process. Raises `FileNotFoundError` for anything outside `root`.

    The hash of a bundle is that of what is sent, so a page never names one content and gets another.
    """
    if name in BUNDLES:
        return _asset(root, name)
    try:
        file = (root / name).resolve()
        found = file.is_relative_to(root.resolve()) and file.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have: too long, or with a NUL
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
    """Join the sources of a bundle. A `url()` in a style sheet, which is relative to its source, becomes an address with a hash."""
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
    """Name the files, beside the bundles, that browsers load and that compression makes smaller; fonts are compressed already."""
    files = (*root.glob("*.svg"), *(root / "js").glob("*.js"))
    bundled = {source for sources in BUNDLES.values() for source in sources}
    names = sorted(file.relative_to(root).as_posix() for file in files)
    return [name for name in names if name not in bundled]


def fingerprint(root: Path) -> str:
    """Return the hash of everything that the build is made from, which it keeps in its stamp."""
    contents = [joined(root, bundle) for bundle in BUNDLES]
    contents += [name.encode() + (root / name).read_bytes() for name in compressible(root)]
    return digest_of(b"\0".join(contents))


@lru_cache(maxsize=8)
def _is_current(root: Path) -> bool:
    """Tell whether there is a build of the sources as they are."""
    stamp = root / BUILT / STAMP
    return stamp.is_file() and stamp.read_text() == fingerprint(root)
