"""Test that uploaded files are stored and downloaded unchanged, and never unpacked, decoded or run (R59)."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.web.gate import Gate
from tests.browser import Browser
from tests.forms import send
from tests.world import ADA, INCIDENT


def bomb() -> bytes:
    """Return a decompression bomb: 27 GB of zero bytes, compressed three times."""
    inner = b"\0" * 1_000_000
    for _ in range(3):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in range(30):
                archive.writestr(f"{n}.bin", inner)
        inner = packed.getvalue()
    return inner


def endless_picture() -> bytes:
    """Return a PNG file whose header claims 50,000 by 50,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("name", "made_of"), [("bomb.zip", bomb), ("huge.png", endless_picture)], ids=["zip", "png"])
async def test_what_would_burst_is_kept_as_it_came(app: Gate, name: str, made_of: Callable[[], bytes]) -> None:
    """R56, R59: a file that would exhaust the memory when unpacked or decoded is stored and downloaded unchanged."""
    content = made_of()
    async with await Browser.of(app, ADA) as ada:
        page = await ada.get("/cases/new")
        made = await send(
            ada, page, "/cases/new", subject="See", body="The file.", case_type=str(INCIDENT), files={"files": (name, content)}
        )  # fmt: skip
        assert made.status_code == 303
        shown = (await ada.get(made.headers["location"])).text
        address = shown.split(f"{made.headers['location']}/files/")[1][:36]
        got = await ada.get(f"{made.headers['location']}/files/{address}")
    assert got.content == content
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["content-type"] == "application/octet-stream"


def test_only_the_child_process_imports_what_decodes_files() -> None:
    """R59: only the child process with limits imports the libraries that decode images and PDF files."""
    imports = re.compile(r"^\s*(?:import|from) (?:PIL|pypdfium2)\b", re.MULTILINE)
    assert [path for path in Path("portal").rglob("*.py") if imports.search(path.read_text())] == [
        Path("portal/previews/child.py")
    ]
