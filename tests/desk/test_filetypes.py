"""Names are cleaned once and the result is checked; the content is what the ending says; what the sender claims does not count."""

import io
import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.desk.filetypes import BINARY, MAX_NAME, PROGRAMS, TEXTS, check_file, clean_name
from portal.errors import Invalid


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return file.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 50
EXE = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + b"\0" * 200
ELF = b"\x7fELF\2\1\1" + b"\0" * 60
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"
REAL = {
    "png": PNG,
    "jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1" + b"\0" * 50,
    "jpeg": b"\xff\xd8\xff\xe1\0\x10Exif\0" + b"\0" * 50,
    "gif": b"GIF89a" + b"\0" * 50,
    "webp": b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 50,
    "bmp": b"BM\xc8\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0" + b"\0" * 50,
    "tif": b"II*\0\x08\0\0\0" + b"\0" * 30,
    "tiff": b"MM\0*\0\0\0\x08" + b"\0" * 30,
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 30,
    "mp4": MP4,
    "mov": b"\0\0\0\x14ftypqt  " + b"\0" * 30,
    "webm": b"\x1a\x45\xdf\xa3\x01\0\0\0webm" + b"\0" * 30,
    "mp3": b"ID3\3\0\0\0\0" + b"\0" * 30,
    "pdf": b"%PDF-1.7\n1 0 obj",
    "7z": b"7z\xbc\xaf\x27\x1c\0\4" + b"\0" * 30,
    "gz": b"\x1f\x8b\x08\0" + b"\0" * 30,
    "tgz": b"\x1f\x8b\x08\0" + b"\0" * 30,
    **dict.fromkeys(("doc", "xls", "ppt", "msg"), OLE),
    **dict.fromkeys(("zip", "docx", "xlsx", "pptx", "odt", "ods", "odp"), zipped()),
}


def refusal(name: str, head: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        check_file(name, head)
    assert set(refused.value.fields) == {"files"}
    return refused.value.sentence


@pytest.mark.parametrize("ending", sorted(BINARY))
def test_every_kind_that_is_taken_is_recognised_by_its_first_bytes(ending: str) -> None:
    assert check_file(f"Ä {ending}.{ending.upper()}", REAL[ending]) == (
        f"Ä {ending}.{ending.upper()}",
        BINARY[ending][1],
    )


@pytest.mark.parametrize("ending", sorted(BINARY))
def test_no_ending_makes_a_program_or_a_text_something_else(ending: str) -> None:
    """R56"""
    assert "is a program, not" in refusal(f"x.{ending}", EXE)
    assert "is a program, not" in refusal(f"x.{ending}", ELF)
    assert "is a text, not" in refusal(f"x.{ending}", b"<script>alert(1)</script>")


@pytest.mark.parametrize("ending", sorted(TEXTS))
def test_texts_need_no_signature_but_hold_nothing_else(ending: str) -> None:
    for content in (
        b"08:12 started\r\n\tok",
        "Größe".encode(),
        "Größe".encode("latin-1"),
        "Größe".encode("utf-16"),
        b"\x1b[31mred",
        b"MZ-1 failed",
    ):
        assert check_file(f"x.{ending}", content)[0] == f"x.{ending}"
    for content in (EXE, ELF, PNG, REAL["pdf"], REAL["gz"], bytes(range(256))):
        refusal(f"x.{ending}", content)


@pytest.mark.parametrize("ending", ["html", "htm", "xhtml", "svg", "xml", "js"])
def test_what_a_browser_could_run_has_no_type_of_its_own(ending: str) -> None:
    """R56: an SVG with onload is only ever a download."""
    assert check_file(f"x.{ending}", b"<svg onload='alert(1)'/>")[1] == "application/octet-stream"


@pytest.mark.parametrize("ending", sorted(PROGRAMS))
def test_programs_are_not_taken_under_their_own_name_either(ending: str) -> None:
    assert "is a program" in refusal(f"setup.{ending}", EXE)


def test_the_sentence_says_what_it_is_and_what_to_do() -> None:
    """Issue 2, section 5: a .exe renamed to .png."""
    assert (
        refusal("printer.png", EXE) == "“printer.png” is a program, not an image. Remove it or attach a real picture."
    )
    assert (
        refusal("a.jpg", PNG) == "“a.jpg” is an image, but of another kind than “.jpg”. Rename it and attach it again."
    )
    assert refusal("a.png", bytes(200)) == "“a.png” is not an image inside. Remove it or attach a real picture."
    assert refusal("a.log", b"") == "“a.log” is empty: choose your files again without it."
    assert (
        refusal("a.xyz", b"x")
        == "Files ending in “.xyz” are not taken. Attach a picture, a document, a log or an archive."
    )
    assert refusal("syslog", b"x") == "“syslog” has no ending that says what it is. Rename it, such as to “syslog.txt”."


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("../../etc/x.txt", "x.txt"),
        ("..\\..\\x.txt", "x.txt"),
        ("C:\\Users\\ada\\x.txt", "x.txt"),
        ("\u200b.htaccess", "htaccess"),
        ("a.png\u202egnp.exe", "a.pnggnp.exe"),
        ("a\x00.png", "a.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie_ x.png"),
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
    """R54, R55, T9"""
    assert clean_name(given) == clean


@given(st.text(max_size=400))
def test_a_clean_name_stays_as_it_is_and_can_be_stored(name: str) -> None:
    """R55: what is checked is the result."""
    clean = clean_name(name)
    assert clean_name(clean) == clean
    assert len(clean.encode()) <= MAX_NAME
    assert unicodedata.is_normalized("NFC", clean)
    assert not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs"} or letter in '/\\"' for letter in clean)


@given(st.text(max_size=60), st.binary(max_size=100))
def test_any_name_and_any_content_are_taken_or_refused_with_a_sentence(name: str, head: bytes) -> None:
    """R51"""
    try:
        clean, media_type = check_file(name, head)
    except Invalid as refused:
        sentence = refused.sentence
    else:
        sentence = f"{clean} is {media_type}."
        assert clean == clean_name(name)
    assert sentence.endswith(".")
