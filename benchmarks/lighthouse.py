"""`python -m benchmarks.lighthouse`: print Lighthouse's scores of pages of the demo, on a phone and on a desktop.

The module builds the static files as they are in a wheel, serves a demo, and drives Debian's Chromium. Lighthouse
simulates the performance from what a page loads, so the score depends little on the machine. Other programs that run at
the same time lower the score.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

import hatch_build

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
PROGRAM = HERE / "node_modules" / "lighthouse" / "cli" / "index.js"
PASSWORD = "a password of the demo"  # noqa: S105 (of a demo that lives for minutes)
CATEGORIES = ("performance", "accessibility", "best-practices")
GOALS = {"desktop": 100, "mobile": 98}
"""The performance score that is required on each device. The other two categories must reach 100."""
TRIES = 3
"""The maximum number of attempts for a page: on a busy machine Lighthouse sometimes fails with NO_NAVSTART."""
LONGEST_LOAD = 10
"""After this many seconds, Lighthouse treats a page as loaded. By default, Lighthouse waits until no request is open,
but at most 45 seconds. The event stream of live updates stays open, so each page would take the 45 seconds."""
LONGEST_TRY = 120
"""After this many seconds an attempt counts as failed, and Lighthouse and its Chromium are ended."""
LONGEST_START = 900
"""After this many seconds a demo that does not respond counts as failed. Filling takes half a minute on an idle machine."""
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
AGENT, CONTACT = "ines@desk.example", "ada@acme.example"


def install() -> None:
    """Install the version of Lighthouse that the lock file pins, unless it is installed already."""
    if PROGRAM.is_file():
        return
    command = [*hatch_build._npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=HERE, check=True)


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """Serve a newly filled demo for the duration of the block, and yield its base URL.

    A demo that does not start raises `SystemExit`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    folder = tempfile.mkdtemp(prefix="portal-lighthouse-")
    Path(folder).chmod(0o755)
    command = [sys.executable, "-m", "portal", "demo", "--port", str(port), "--data", f"{folder}/data"]
    served = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PORTAL_DEMO_PASSWORD": PASSWORD}, stdout=subprocess.DEVNULL
    )
    try:
        started = time.monotonic()
        while not _is_healthy(url):
            if served.poll() is not None or time.monotonic() - started > LONGEST_START:
                raise SystemExit("The demo did not start.")
            time.sleep(0.2)
        yield url
    finally:
        served.terminate()
        served.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def signed_in(url: str, email: str) -> httpx.Client:
    """Return an HTTP client that has signed in with the sign-in form."""
    client = httpx.Client(base_url=url, follow_redirects=True)
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/sign-in").text)
    assert token
    answer = client.post("/sign-in", data={"csrf": token[1], "email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return client


def pages(url: str) -> list[tuple[str, str, str]]:
    """Return the name, the path and the Cookie header of each page to measure."""
    agent, contact = signed_in(url, AGENT), signed_in(url, CONTACT)
    ours, theirs = (f"sid={client.cookies['sid']}" for client in (agent, contact))

    def first(client: httpx.Client, path: str, link: str) -> str:
        found = re.search(rf'href="({link}[^"?]+)"', client.get(path).text)
        assert found, f"{path} links to no {link}"
        return found[1]

    return [
        ("sign-in", "/sign-in", ""),
        ("home", "/", theirs),
        ("case (contact)", first(contact, "/cases?show=all", "/cases/[0-9]"), theirs),
        ("invoice", first(contact, "/invoices", "/invoices/"), theirs),
        ("list (agent)", "/agent/cases?view=all", ours),
        ("case (agent)", first(agent, "/agent/cases?view=all", "/agent/cases/[0-9]"), ours),
    ]


def judged(address: str, cookies: str, form: str) -> dict[str, Any]:
    """Return Lighthouse's report on one page. `form` is `desktop`, or `mobile` for a phone on a slow connection.

    After `TRIES` failed attempts, raise `SystemExit` with the output of Lighthouse.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "There is no Chromium: on Debian, apt-get install chromium"
    command = [
        hatch_build._npm()[0], str(PROGRAM), address, "--quiet", "--output=json", "--output-path=stdout",
        f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={FLAGS}", f"--max-wait-for-load={LONGEST_LOAD * 1000}",
        *(["--preset=desktop"] if form == "desktop" else []),
    ]  # fmt: skip
    if cookies:
        command.append(f"--extra-headers={json.dumps({'Cookie': cookies})}")
    said = ""
    for _ in range(TRIES):
        code, printed, said = _run(command, os.environ | {"CHROME_PATH": chromium})
        if code == 0:
            report: dict[str, Any] = json.loads(printed)
            return report
    raise SystemExit(f"Lighthouse failed:\n{said}")


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a command for `LONGEST_TRY` seconds at most; return its exit status and its output on both streams.

    If the command prints nothing to standard output or takes longer, the status is 1. Afterwards, kill the process
    group of the command, because a failed Lighthouse leaves its Chromium running.
    """
    started = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        printed, said = started.communicate(timeout=LONGEST_TRY)
    except subprocess.TimeoutExpired:
        printed, said = "", f"no answer within {LONGEST_TRY} seconds"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
    return started.returncode if printed else 1, printed, said


def row(name: str, form: str, report: dict[str, Any]) -> list[str]:
    """Return a row of the table: the page, the device, the scores in per cent, and the metrics of the performance."""
    scores = [str(round((report["categories"][category]["score"] or 0) * 100)) for category in CATEGORIES]
    audits = report["audits"]
    figures = (
        "first-contentful-paint",
        "largest-contentful-paint",
        "total-blocking-time",
        "cumulative-layout-shift",
        "total-byte-weight",
    )
    return [
        name,
        form,
        *scores,
        *(audits[figure]["displayValue"].removeprefix("Total size was ").replace("\u00a0", " ") for figure in figures),
    ]


def faults(report: dict[str, Any]) -> list[str]:
    """Return a line for each audit of Lighthouse that counts towards a score and whose own score is below 0.9."""
    counted = {
        audit["id"] for category in report["categories"].values() for audit in category["auditRefs"] if audit["weight"]
    }
    return [
        f"{id}: {audit['title']} {audit.get('displayValue', '')}"
        for id, audit in report["audits"].items()
        if id in counted and audit["score"] is not None and audit["score"] < 0.9
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every page and print the table; exit with status 1 if a score is below its goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lighthouse", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="of each page, of which the best counts (1)")
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    given = parser.parse_args(arguments)
    install()
    hatch_build.fill(ROOT / "static" / "vendor", hatch_build.PAGE_FILES)
    hatch_build.build(ROOT / "static")
    rows, missed = [["page", "form", *CATEGORIES, "FCP", "LCP", "TBT", "CLS", "bytes"]], False
    with demo() as url:
        for name, path, cookies in pages(url):
            for form, goal in GOALS.items() if given.only in name else ():
                reports = [judged(url + path, cookies, form) for _ in range(given.runs)]
                best = max(
                    reports,
                    key=lambda report: [report["categories"][category]["score"] or 0 for category in CATEGORIES],
                )
                rows.append(row(name, form, best))
                performance, *others = map(int, rows[-1][2:5])
                missed = missed or performance < goal or min(others) < 100
                print(
                    f"  {name}, {form}: {' '.join(rows[-1][2:5])}",
                    *faults(best),
                    sep="\n    ",
                    file=sys.stderr,
                    flush=True,
                )
    widths = [max(len(line[place]) for line in rows) for place in range(len(rows[0]))]
    print("\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in rows))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
