"""Decide which files are accepted, and under which names.

A help desk must accept nearly every file, so only executables are refused. They are recognised by their content, by the
file name extensions that Windows runs, and by the extensions that an admin adds. Accepting all others is safe because
browsers never open the files but only save them (R56). The media type that the browser sends is ignored.
"""

import re
import unicodedata
from collections.abc import Collection

from portal.errors import Invalid
from portal.visible import visible

EXECUTABLE = frozenset("exe dll com scr msi msix lnk hta jar bat cmd vbs js wsf cpl pif reg".split())
"""File name extensions that are always refused (R56)."""
MAX_NAME = 255
"""The maximum length of a file name, in bytes of UTF-8."""
UNKNOWN = "application/octet-stream"

# ELF, then Mach-O in both byte orders for 32 and 64 bits, then Mach-O for several processors. A Java class file
# also begins with CA FE BA BE, and is refused too.
_EXECUTABLE_STARTS = (
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xca\xfe\xba\xbf",
)

# Map each media type to the extensions of its images, the usual extension first.
_PICTURES = {
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/heic": ("heic", "heif"),
    "image/tiff": ("tif", "tiff"),
    "image/bmp": ("bmp",),
}
_PICTURE_ENDINGS = frozenset(ending for endings in _PICTURES.values() for ending in endings)
_PICTURE_STARTS = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/gif": rb"GIF8[79]a",
    "image/webp": rb"RIFF....WEBP",
    # The first box of the file lists its brands. The brands mif1 and msf1 alone do not say how the picture is
    # compressed.
    "image/avif": rb"\0\0\0.ftyp(....)*?avi[fs]",
    "image/heic": rb"\0\0\0.ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)",
    "image/tiff": rb"II\*\0|MM\0\*",
    "image/bmp": rb"BM.{4}\0\0\0\0",
}
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_file(name: str, head: bytes, refused: Collection[str] = ()) -> tuple[str, str]:
    """Return the name under which to keep a file, and its media type, which is `UNKNOWN` for everything but images.

    `head` has the first bytes of the file (4096 are enough), `refused` the extensions that an admin has added, in lower
    case. If an image has the extension of another kind of image, the extension is replaced. Raise `Invalid` at the
    field `files` if the file is empty or refused.
    """
    name = clean_name(name) or "file"
    ending = ending_of(name)
    if not head:
        raise Invalid({"files": f"“{name}” is empty: choose your files again without it."})
    if ending in EXECUTABLE or is_executable(head):
        raise Invalid({"files": f"“{name}” is a program, and programs are not taken. Remove it."})
    if ending in refused:
        raise Invalid({"files": f"Files ending in “.{ending}” are not taken here. Remove “{name}”."})
    picture = picture_of(head)
    # Replace an extension only if it belongs to another kind of image: raw photographs begin like TIFF files and
    # have many different extensions.
    if picture and ending in _PICTURE_ENDINGS and ending not in _PICTURES[picture]:
        name = f"{name.rpartition('.')[0]}.{_PICTURES[picture][0]}"
    return name, picture or UNKNOWN


def ending_of(name: str) -> str:
    """Return the extension of a clean file name in lower case, or "" if there is none."""
    stem, _, ending = name.rpartition(".")
    return ending.lower() if stem else ""


def is_executable(head: bytes) -> bool:
    """Return whether a file with these first bytes is an executable of Windows (PE), Linux (ELF) or macOS (Mach-O)."""
    # The header of a PE file contains zero bytes. A text that begins with the letters MZ does not.
    return head.startswith(_EXECUTABLE_STARTS) or (head.startswith(b"MZ") and b"\0" in head[:64])


def picture_of(head: bytes) -> str | None:
    """Return the media type of the image that begins with these bytes, or None if they begin no known kind of image."""
    return next((kind for kind, start in _PICTURE_STARTS.items() if re.match(start, head[:64], re.DOTALL)), None)


def clean_name(name: str) -> str:
    """Return the file name without folders and invisible characters, so that every system can store it (R54, R55).

    Signs that Windows does not allow become `_`. The result may be "". It has at most `MAX_NAME` bytes; a longer name
    is shortened before its extension. A name that Windows reserves for a device, such as `con.txt`, gets a `_` in
    front. The function is idempotent.
    """
    name = re.split(r"[/\\]", name)[-1]
    # Removing an invisible character can bring characters together that NFC then joins, and NFC can produce new
    # invisible ones: two rounds reach a stable result.
    for _ in range(2):
        name = unicodedata.normalize("NFC", visible(name))
    name = re.sub(r'[<>:"|?*]', "_", name)
    name = re.sub(r"\s+", " ", name).strip(" .")
    if len(name.encode()) > MAX_NAME:
        stem, dot, ending = name.rpartition(".")
        tail = (dot + ending).encode() if 0 < len(ending.encode()) <= 16 else b""
        stem = stem if tail else name
        name = (stem.encode()[: MAX_NAME - len(tail)].decode(errors="ignore").rstrip(" .") + tail.decode()).strip(" .")
    return f"_{name}"[:MAX_NAME] if _DEVICES.fullmatch(name) else name
