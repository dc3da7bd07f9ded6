"""Serve static files: their URLs with a hash, the bundles that pages load, and the compressed copies of the build.

Pages name `style.css` and `script.js`, which are joined from the files below. The build (`hatch_build.py`, which loads
this module by its path, so it imports the standard library only) joins, minifies and compresses them into
`static/built`. Without a build of the present sources, as in development, a bundle is joined when it is first asked
for.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

BUNDLES = {
    "style.css": ("css/tokens.css", "css/base.css", "css/layout.css", "css/components.css", "css/pages.css"),
    # htmx and its extension are in one file: a deferred htmx starts in its own task, and the extension must be there
    # by then.
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
"""The content codings that the build writes, the preferred one first, with the suffix of their files."""

_URL = re.compile(r"""url\("(?!data:)([^"]+)"\)""")


@dataclass(frozen=True, slots=True)
class Asset:
    """Hold a static file: its content, its hash, and its compressed copies by content coding (`br`, `gzip`), if any."""

    content: bytes
    digest: str
    encoded: dict[str, bytes] = field(default_factory=dict)


def digest_of(content: bytes) -> str:
    """Return the hash that stands in a file's URL."""
    return blake2b(content, digest_size=6).hexdigest()


def address(root: Path, name: str) -> str:
    """Return `/static/NAME?v=HASH` for a file or bundle below `root`. Raise `FileNotFoundError` where there is none."""
    return f"/static/{name}?v={asset(root, name).digest}"


def asset(root: Path, name: str) -> Asset:
    """Return the file or bundle called `name`, read once per process.

    Raise `FileNotFoundError` for a path outside `root`.

    The hash of a bundle is computed from the content that is sent, so a URL never leads to other content than its hash
    says.
    """
    if name in BUNDLES:
        return _asset(root, name)
    try:
        file = (root / name).resolve()
        found = file.is_relative_to(root.resolve()) and file.is_file()
    except (OSError, ValueError) as error:  # No file can have this name: it is too long or has a NUL.
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
    """Return the joined sources of a bundle; a `url()` in a style sheet becomes a URL with a hash."""
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
    """Return the names of the files outside the bundles that compression makes smaller, which fonts are not."""
    files = (*root.glob("*.svg"), *(root / "js").glob("*.js"))
    bundled = {source for sources in BUNDLES.values() for source in sources}
    names = sorted(file.relative_to(root).as_posix() for file in files)
    return [name for name in names if name not in bundled]


def fingerprint(root: Path) -> str:
    """Return the hash of all sources of a build; the build stores it in its stamp."""
    contents = [joined(root, bundle) for bundle in BUNDLES]
    contents += [name.encode() + (root / name).read_bytes() for name in compressible(root)]
    return digest_of(b"\0".join(contents))


@lru_cache(maxsize=8)
def _is_current(root: Path) -> bool:
    """Return whether the build was made from the present sources."""
    stamp = root / BUILT / STAMP
    return stamp.is_file() and stamp.read_text() == fingerprint(root)
