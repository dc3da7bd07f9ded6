"""Test the wheel, built and installed as docs/operations.md says: it serves the same app and the same static files."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from portal.embedded import EmbeddedPostgres
from tests.served import free_port
from tests.test_serving import eventually

pytestmark = [pytest.mark.slow, pytest.mark.infra]

ROOT = Path(__file__).parent.parent


def installing(place: Path) -> list[str]:
    """Return the install commands of docs/operations.md, with folders below `place` instead of /opt and dist."""
    block = re.search(r"## Install\n.*?```\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), flags=re.DOTALL)
    assert block
    commands = (
        block[1].replace("/opt/", f"{place}/").replace("dist/", f"{place}/dist/").replace("-w dist", f"-w {place}/dist")
    )
    return commands.splitlines()


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a folder that every account of the system can reach, because the database runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="portal-wheel-"))
    folder.chmod(0o755)
    yield folder
    EmbeddedPostgres(folder / "data").remove()
    shutil.rmtree(folder)


def test_the_wheel_serves_the_same_app_with_the_same_assets(place: Path) -> None:
    commands = installing(place)
    assert [line.split()[0] for line in commands] == [
        "python3",
        "python3",
        f"{place}/portal/bin/pip",
        f"{place}/portal/bin/pip",
    ]
    ours = ("PORTAL_", "DATABASE_", "PYTHONPATH", "VIRTUAL_ENV")
    # Python compiles what it imports; compiling all packages would take a tenth of the time of this test.
    elsewhere = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"PIP_COMPILE": "0"}
    for command in commands:
        done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=elsewhere, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"PORTAL_ENVIRONMENT": "test", "PORTAL_DATA": str(place / "data"), "PORTAL_BASE_URL": url}
    served = subprocess.Popen(
        [place / "portal" / "bin" / "portal", "serve", "--port", str(port)], cwd=place, env=elsewhere | settings
    )
    try:
        assert eventually(lambda: _is_well(url), 60)
        assets = {
            path.relative_to(ROOT).as_posix(): path.read_bytes()
            for path in (ROOT / "static").rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        assert len(assets) > 40
        with httpx.Client(base_url=url) as client:
            different = [name for name, content in assets.items() if client.get(f"/{name}").content != content]
            page = client.get("/sign-in")
        assert different == []
        assert page.status_code == 200
        assert "<input" in page.text
    finally:
        served.terminate()
        assert served.wait(10) == 0


def _is_well(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
