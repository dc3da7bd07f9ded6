"""Take screenshots of every component, of the pages for visitors who are not signed in, and of every mail.

Usage: `python -m tests.look.gallery FOLDER [name ...]`. This renders the templates of `tests/look/pages/` with the
invented readers of `tests/look/mock.py`, and serves them with the product's content security policy. Each screenshot is
taken at widths of 1440 and 390 px, light and dark. The screenshots of the mails of `tests/look/mails.py` are 600 and 360 px
wide. The command prints the errors that the browser reports.
"""

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jinja2 import ChoiceLoader, FileSystemLoader
from playwright.sync_api import Browser, sync_playwright

from portal.render import ENVIRONMENT, assets, folder, formats
from tests.look.mails import mails
from tests.look.mock import CONTEXTS

PAGES = Path(__file__).parent / "pages"
NONCE = "gallery"
POLICY = (
    f"default-src 'none'; script-src 'nonce-{NONCE}'; style-src 'self' 'nonce-{NONCE}'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The content security policy of the mails, which have inline styles and load nothing."""
SIZES = {"1440": (1440, 900), "390": (390, 844)}
MAIL_SIZES = {"600": (600, 800), "360": (360, 740)}
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Programs that the tests can drive, the fastest first: the shell takes two thirds of the time of a whole browser."""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Answers(SimpleHTTPRequestHandler):
    """An HTTP handler that serves static files and rendered pages with the product's content security policy."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", MAIL_POLICY if self.path.startswith("/mail-") else POLICY)
        super().end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Log no requests, because only the errors that the browser reports matter."""


def sizes_of(name: str) -> dict[str, tuple[int, int]]:
    """Return the screen sizes for screenshots of this page or mail, by the size's name."""
    return MAIL_SIZES if name.startswith("mail-") else SIZES


def written(target: Path) -> list[str]:
    """Render all pages and mails to `target/<name>.html`, link the static files there, and return the names."""
    environment = ENVIRONMENT.overlay(
        loader=ChoiceLoader([FileSystemLoader(PAGES), FileSystemLoader(folder("templates"))])
    )
    (target / "static").mkdir()
    for path in folder("static").iterdir():
        (target / "static" / path.name).symlink_to(path)
    for bundle in assets.BUNDLES:
        (target / "static" / bundle).write_bytes(assets.joined(folder("static"), bundle))
    names = sorted(page.stem for page in PAGES.glob("[a-z]*.html"))
    for name in names:
        template = environment.get_template(f"{name}.html")
        context = CONTEXTS[(PAGES / f"{name}.html").read_text(encoding="utf-8").split("#")[1].strip()] | {
            "nonce": NONCE
        }
        with formats.reading(context["reader"], context["company"], context["now"]):
            (target / f"{name}.html").write_text(template.render(context), encoding="utf-8")
    for name, html in mails().items():
        (target / f"{name}.html").write_text(html, encoding="utf-8")
        names.append(name)
    return names


@contextmanager
def served() -> Iterator[tuple[str, list[str]]]:
    """Serve the gallery until the block ends; yield its URL and the names of its pages."""
    with tempfile.TemporaryDirectory() as place:
        names = written(Path(place))
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Answers, directory=place))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", names
        finally:
            server.shutdown()
            server.server_close()


def executable() -> str:
    """Return the path of Chromium, which `./dev test` installs; raise an error if there is none."""
    found: Callable[[str], str | None] = shutil.which
    path = next(filter(None, map(found, BROWSERS)), None)
    assert path, "There is no Chromium: on Debian, apt-get install chromium-headless-shell"
    return path


def taken(browser: Browser, address: str, name: str, target: Path) -> list[str]:
    """Take four screenshots of one page or mail.

    Return the browser's errors and warnings, and the widths at which the page scrolls sideways.
    """
    complaints = []
    for size, (width, height) in sizes_of(name).items():
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.on(
                "console",
                lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None,
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{address}/{name}.html")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                complaints.append(f"{name} scrolls sideways at {size}")
            page.screenshot(path=target / f"{name}-{size}-{scheme}.png", full_page=True)
            page.close()
    return [line for line in complaints if "/live" not in line and "404" not in line]


def main() -> None:
    """Save screenshots in the folder given as the first argument.

    Further arguments name the pages and mails to take; without them, all are taken.
    """
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with served() as (address, names), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        for name in [name for name in names if not sys.argv[2:] or name in sys.argv[2:]]:
            sys.stdout.write("\n   ".join([name, *sorted(set(taken(browser, address, name, target)))]) + "\n")
        browser.close()


if __name__ == "__main__":
    main()
