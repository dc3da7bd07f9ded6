"""Test which uploaded files are accepted, and how their names are cleaned. The claimed media type is ignored."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.desk.files.filetypes import EXECUTABLE, MAX_NAME, check_file, clean_name
from portal.errors import Invalid

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 50
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1" + b"\0" * 50
WEBP = b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 50
TIFF = b"II*\0\x08\0\0\0" + b"\0" * 30
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
PE = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + b"\0" * 200
ELF = b"\x7fELF\2\1\1" + b"\0" * 60
MACH_O = b"\xcf\xfa\xed\xfe\x07\0\0\1" + b"\0" * 60
FAT_MACH_O = b"\xca\xfe\xba\xbe\0\0\0\2" + b"\0" * 60


def brand(name: bytes, *compatible: bytes) -> bytes:
    """Return the first bytes of an ISO base media file (MP4, QuickTime, HEIC, AVIF) with these brand codes."""
    return b"\0\0\0\x20ftyp" + name + b"\0\0\2\0" + b"".join(compatible) + b"\0" * 40


def refusal(name: str, head: bytes, *refused: str) -> str:
    with pytest.raises(Invalid) as raised:
        check_file(name, head, refused)
    assert set(raised.value.fields) == {"files"}
    return raised.value.sentence


ENDINGS = (
    "har pcap pcapng evtx m4a wav ogg ics vcf log.1 rar xlsm p7m pem config ps1 py avif heif vsdx mpp dmp psd html svg xml css zip 7z tar.gz"
    " docx xlsx pptx odt doc xls msg eml txt log csv json yaml sql mp3 mp4 mov webm pdf sh apk iso xyz"
).split()


@pytest.mark.parametrize("content", [b"08:12 started", bytes(range(256)), OLE], ids=["text", "bytes", "office"])
def test_every_ending_is_taken_whatever_the_content(content: bytes) -> None:
    """R56: a file that is not executable is accepted even if its content does not match the extension of its name.

    Encrypted xlsx and docx files, for example, have the content of OLE files.
    """
    names = [*(f"a.{ending}" for ending in ENDINGS), "syslog", "core.4711", "Makefile", "README"]
    assert [check_file(name, content) for name in names] == [(name, "application/octet-stream") for name in names]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.log", b"08:12 started\0\0\7"),
        ("a.log", "Größe".encode("utf-16-le")),
        ("a.txt", b"MZ-1 failed"),
        ("a.txt", "Größe".encode("latin-1")),
        ("a.mp3", b"\xff\xfb\x90\x64" + b"\0" * 40),
        ("a.mp4", brand(b"3gp5")),
        ("a.mp4", brand(b"XAVC")),
        ("a.m4a", brand(b"M4A ")),
        ("photo.nef", TIFF),
        ("photo.jfif", JPEG),
        ("disguised.pdf", PNG),
    ],
)
def test_what_customers_send_keeps_its_name(name: str, content: bytes) -> None:
    assert check_file(name, content)[0] == name


@pytest.mark.parametrize(
    ("name", "content", "taken", "media_type"),
    [
        ("a.png", PNG, "a.png", "image/png"),
        ("a.JPEG", JPEG, "a.JPEG", "image/jpeg"),
        ("a.tif", TIFF, "a.tif", "image/tiff"),
        ("a.heic", brand(b"heic", b"mif1"), "a.heic", "image/heic"),
        ("a.heic", brand(b"mif1", b"heic"), "a.heic", "image/heic"),
        ("a.heif", brand(b"msf1", b"hevc"), "a.heif", "image/heic"),
        ("a.avif", brand(b"mif1", b"miaf", b"avif"), "a.avif", "image/avif"),
        ("IMG 1.jpg", PNG, "IMG 1.png", "image/png"),
        ("a.b.jpg", WEBP, "a.b.webp", "image/webp"),
        ("a.jpg", brand(b"heic"), "a.heic", "image/heic"),
        ("a.PNG", JPEG, "a.jpg", "image/jpeg"),
    ],
)
def test_a_picture_is_taken_under_an_ending_of_its_kind(name: str, content: bytes, taken: str, media_type: str) -> None:
    assert check_file(name, content) == (taken, media_type)


@pytest.mark.parametrize("content", [PE, ELF, MACH_O, FAT_MACH_O], ids=["PE", "ELF", "Mach-O", "fat Mach-O"])
@pytest.mark.parametrize("name", ["setup.exe", "printer.png", "report.pdf", "a.log", "syslog"])
def test_executables_are_refused_under_every_name(name: str, content: bytes) -> None:
    """R56: a file with the content of an executable is refused under every name."""
    assert refusal(name, content) == f"“{name}” is a program, and programs are not taken. Remove it."


@pytest.mark.parametrize("ending", "exe dll com scr msi msix lnk hta jar bat cmd vbs js wsf cpl pif reg".split())
def test_the_endings_of_executables_are_refused_whatever_they_hold(ending: str) -> None:
    """R55, R56: a file name with the extension of an executable is refused.

    An invisible character, a capital letter, a space or a dot in the name does not hide the extension.
    """
    assert ending in EXECUTABLE
    for name in (f"a.{ending}", f"a.pdf.{ending.upper()}", f"a.{ending}. ", f"a.\u200b{ending[0]}\u00ad{ending[1:]}"):
        assert "is a program" in refusal(name, b"08:12 started")


def test_an_ending_that_an_admin_added_is_refused() -> None:
    assert refusal("a.ISO", b"x", "iso") == "Files ending in “.iso” are not taken here. Remove “a.ISO”."
    assert check_file("a.iso.txt", b"x", ["iso"])[0] == "a.iso.txt"


def test_an_empty_file_is_refused_and_nothing_is_renamed_to_nothing() -> None:
    assert refusal("a.log", b"") == "“a.log” is empty: choose your files again without it."
    for name in ("", "..", "\u200b", "///"):
        assert check_file(name, b"x")[0] == "file"


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("../../etc/x.txt", "x.txt"),
        ("..\\..\\x.txt", "x.txt"),
        ("C:\\Users\\ada\\x.txt", "x.txt"),
        ("\u200b.htaccess", "htaccess"),
        ("a.png\u202egnp.exe", "a.pnggnp.exe"),
        ("a\x00.png", "a.png"),
        ("a\r\nSet-Cookie: x.png", "a Set-Cookie_ x.png"),
        ('say "hi"?.log', "say _hi__.log"),
        ("  a \u00a0 b .log. ", "a b .log"),
        ("u\u0308ber.log", "über.log"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("x" * 300 + ".log", "x" * 251 + ".log"),
        ("ä" * 300 + ".log", "ä" * 125 + ".log"),
        ("x" * 300, "x" * 255),
        ("..", ""),
        ("", ""),
    ],
)
def test_a_name_loses_what_could_mislead(given: str, clean: str) -> None:
    """R54, R55: a file name loses its folders and invisible characters.

    It is shortened to at most 255 bytes, but keeps its extension. Forbidden characters are replaced by `_`, and a name
    that Windows reserves gets `_` in front.
    """
    assert clean_name(given) == clean


@given(st.text(max_size=400))
def test_a_clean_name_stays_as_it_is_and_can_be_stored(name: str) -> None:
    """R55: cleaning a cleaned file name changes nothing, so that the name checked is the name stored."""
    clean = clean_name(name)
    assert clean_name(clean) == clean
    assert len(clean.encode()) <= MAX_NAME
    assert unicodedata.is_normalized("NFC", clean)
    assert not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs"} or letter in '/\\"' for letter in clean)


@given(st.text(max_size=60), st.binary(max_size=100))
def test_any_name_and_any_content_are_taken_or_refused_with_a_sentence(name: str, head: bytes) -> None:
    """R51: random names and contents either give a clean name or raise `Invalid` with an error message."""
    try:
        clean, media_type = check_file(name, head)
    except Invalid as refused:
        sentence = refused.sentence
    else:
        sentence = f"{clean} is {media_type}."
        assert clean == clean_name(clean)
        assert clean
    assert sentence.endswith(".")
