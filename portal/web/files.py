"""Styles, scripts, fonts: the same for all, kept by browsers for good because their addresses carry a fingerprint."""

import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from portal.errors import NotFound
from portal.render import folder

mimetypes.add_type("font/woff2", ".woff2")
mimetypes.add_type("text/javascript", ".js")


@get("/static/{path:path}", sync_to_thread=False)
def static_file(request: Request[Any, Any, Any], path: FromPath[Path]) -> Response[bytes]:
    """A file of `static/`."""
    root = folder("static").resolve()
    try:
        file = (root / str(path).lstrip("/")).resolve()
        found = file.is_relative_to(root) and file.is_file()
    except (OSError, ValueError):  # a name that no file can have: too long, or with a NUL
        found = False
    if not found:
        raise NotFound
    kept = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(_content(file, file.stat().st_mtime_ns), media_type=media_type, headers={"cache-control": kept})


@lru_cache(maxsize=256)
def _content(file: Path, changed_at: int) -> bytes:
    """The file's bytes; `changed_at` only makes an edited file a new question."""
    return file.read_bytes()
