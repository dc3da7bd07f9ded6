"""Which files are taken, and under what name: the name is cleaned once and the result checked; the content must be what the ending says.

What the browser claims about a file is not looked at (R54 to R56).
"""

import re
import unicodedata
from dataclasses import dataclass

import puremagic

from portal.errors import Invalid

DOWNLOAD = "application/octet-stream"
MAX_NAME = 255
"""Bytes of a name in UTF-8."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an ending promises. `a`: with its article; `real`: what to attach instead of one that is not."""

    a: str
    real: str


IMAGE = Kind("an image", "a real picture")
VIDEO = Kind("a video", "a real video")
AUDIO = Kind("a recording", "a real recording")
PDF = Kind("a PDF document", "the PDF itself")
ARCHIVE = Kind("an archive", "the archive itself")
OFFICE = Kind("an office document", "the document itself")
MAIL = Kind("a mail", "the mail itself")
TEXT = Kind("a text", "the text itself")
PROGRAM = Kind("a program", "")

_ZIP, _OLE, _MPEG4 = {".zip"}, {".doc", ".msi"}, {".mp4", ".mov", ".m4a", ".m4v"}

# ending -> kind, media type, what the content may be recognised as
BINARY: dict[str, tuple[Kind, str, set[str]]] = {
    "png": (IMAGE, "image/png", {".png"}),
    "jpg": (IMAGE, "image/jpeg", {".jpg"}),
    "jpeg": (IMAGE, "image/jpeg", {".jpg"}),
    "gif": (IMAGE, "image/gif", {".gif"}),
    "webp": (IMAGE, "image/webp", {".webp"}),
    "bmp": (IMAGE, "image/bmp", {".bmp"}),
    "tif": (IMAGE, "image/tiff", {".tiff"}),
    "tiff": (IMAGE, "image/tiff", {".tiff"}),
    "heic": (IMAGE, "image/heic", {".heif", ".heic"}),
    "mp4": (VIDEO, "video/mp4", _MPEG4),
    "mov": (VIDEO, "video/quicktime", _MPEG4),
    "webm": (VIDEO, "video/webm", {".webm"}),
    "mp3": (AUDIO, "audio/mpeg", {".mp3"}),
    "pdf": (PDF, "application/pdf", {".pdf"}),
    "zip": (ARCHIVE, "application/zip", _ZIP),
    "7z": (ARCHIVE, "application/x-7z-compressed", {".7z"}),
    "gz": (ARCHIVE, "application/gzip", {".gz"}),
    "tgz": (ARCHIVE, "application/gzip", {".gz"}),
    "docx": (OFFICE, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIP),
    "xlsx": (OFFICE, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _ZIP),
    "pptx": (OFFICE, "application/vnd.openxmlformats-officedocument.presentationml.presentation", _ZIP),
    "odt": (OFFICE, "application/vnd.oasis.opendocument.text", _ZIP),
    "ods": (OFFICE, "application/vnd.oasis.opendocument.spreadsheet", _ZIP),
    "odp": (OFFICE, "application/vnd.oasis.opendocument.presentation", _ZIP),
    "doc": (OFFICE, "application/msword", _OLE),
    "xls": (OFFICE, "application/vnd.ms-excel", _OLE),
    "ppt": (OFFICE, "application/vnd.ms-powerpoint", _OLE),
    "msg": (MAIL, "application/vnd.ms-outlook", _OLE),
}

# What a browser might run keeps no type of its own (R56); everything is sent as a download anyway.
TEXTS: dict[str, str] = {
    **dict.fromkeys(("txt", "log", "ini", "conf", "cfg", "yaml", "yml", "sql", "eml"), "text/plain"),
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "md": "text/markdown",
    "json": "application/json",
    "rtf": "application/rtf",
    **dict.fromkeys(("html", "htm", "xhtml", "svg", "xml", "js", "css"), DOWNLOAD),
}
PROGRAMS = set("exe dll com scr sys msi bat cmd ps1 vbs vbe wsf hta lnk jar apk app deb rpm sh reg cpl pif".split())

_PROGRAM_STARTS = (
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xfe\xed\xfa\xcf",
    b"\xfe\xed\xfa\xce",
    b"dex\n",
)
_NOT_TEXT = bytes(set(range(32)) - set(b"\t\n\r\f\x08\x1b"))
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def check_file(name: str, head: bytes) -> tuple[str, str]:
    """The clean name and the media type of a file that may be kept; `head` is its first bytes, 4096 are enough.

    Raises `Invalid` (field `files`) with a sentence for whoever sent it.
    """
    name = clean_name(name)
    stem, dot, ending = name.rpartition(".")
    ending = ending.lower()
    if not (stem and dot):
        raise _refused(f"“{name}” has no ending that says what it is. Rename it, such as to “{name or 'file'}.txt”.")
    if not head:
        raise _refused(f"“{name}” is empty: choose your files again without it.")
    if ending in PROGRAMS:
        raise _refused(f"“{name}” is a program. Remove it: programs are not taken.")
    if ending in BINARY:
        kind, media_type, expected = BINARY[ending]
        fits = bool(endings_of(head) & expected)
    elif ending in TEXTS:
        kind, media_type = TEXT, TEXTS[ending]
        fits = is_text(head)
    else:
        raise _refused(f"Files ending in “.{ending}” are not taken. Attach a picture, a document, a log or an archive.")
    if not fits or is_program(head):
        found = kind_of(head)
        if found is kind:
            raise _refused(
                f"“{name}” is {kind.a}, but of another kind than “.{ending}”. Rename it and attach it again."
            )
        what = f"is {found.a}, not {kind.a}" if found else f"is not {kind.a} inside"
        raise _refused(f"“{name}” {what}. Remove it or attach {kind.real}.")
    return name, media_type


def clean_name(name: str) -> str:
    """The name alone, without folders and without what cannot be seen or stored; cleaning twice changes nothing (R54, R55)."""
    name = re.split(r"[/\\]", name)[-1]
    # Taking out a mark can bring together what NFC then joins, and the other way round: two rounds settle it.
    for _ in range(2):
        name = unicodedata.normalize(
            "NFC", "".join(letter for letter in name if unicodedata.category(letter) not in _INVISIBLE)
        )
    name = re.sub(r'[<>:"|?*]', "_", name)
    name = re.sub(r"\s+", " ", name).strip(" .")
    if len(name.encode()) > MAX_NAME:
        stem, dot, ending = name.rpartition(".")
        tail = (dot + ending).encode() if 0 < len(ending.encode()) <= 16 else b""
        stem = stem if tail else name
        name = (stem.encode()[: MAX_NAME - len(tail)].decode(errors="ignore").rstrip(" .") + tail.decode()).strip(" .")
    return f"_{name}"[:MAX_NAME] if _DEVICES.fullmatch(name) else name


def endings_of(head: bytes) -> set[str]:
    """The endings that files beginning so usually have, with their dot: {".png"}. Empty where nothing is recognised."""
    try:
        return {match.extension.lower() for match in puremagic.magic_string(head)}
    except (puremagic.PureError, ValueError):
        return set()


def is_program(head: bytes) -> bool:
    """Whether a computer could run it as it is: Windows, Linux, macOS, Java and Android programs."""
    return head.startswith(_PROGRAM_STARTS) or (head.startswith(b"MZ") and not is_text(head))


def is_text(head: bytes) -> bool:
    """Letters, not codes; a PDF that begins with letters is none."""
    if head.startswith(_UTF16):
        return True
    return not head.startswith(b"%PDF-") and head.translate(None, _NOT_TEXT) == head


def kind_of(head: bytes) -> Kind | None:
    """What the content is, where it can be told."""
    if is_program(head):
        return PROGRAM
    if is_text(head):
        return TEXT
    found = endings_of(head)
    return next((kind for kind, _, expected in BINARY.values() if found & expected), None)


def _refused(sentence: str) -> Invalid:
    return Invalid({"files": sentence})
