"""Render an image or a page of a PDF again, in a process with limits (R59): `python -I child.py KIND SIDE PAGE`.

KIND is `picture` or `pdf`, SIDE the largest width and height of the new image in pixels, PAGE the number of a page from
1 on. The file is read from standard input. To standard output the process writes one line, `WIDTH HEIGHT PAGES`, and
then the new image as WebP, which contains what is seen and nothing else: no script, no link, no metadata. The process
ends with a status other than 0 if the file cannot be rendered. It imports nothing of the portal, reads no other file
and cannot write one.
"""

import io
import resource
import sys
from typing import Any

MOST_MEMORY, MOST_SECONDS = 2 * 1024**3, 15
MOST_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
QUALITY = 85
MOST_SCALE = 4
"""The maximum scale of a page, relative to its printed size at 72 pixels an inch."""


def limit() -> None:
    """Limit the memory and the CPU time of this process, and prevent it from writing to any file."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def picture(content: bytes, side: int) -> Any:
    """Return the image in `content`, upright and no larger than `side` pixels each way.

    Raise an exception if it is no image or too large; width and height are checked before any pixel is decoded.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 (imported once the limits apply)

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        opened.draft("RGB", (side, side))
        shown = ImageOps.exif_transpose(opened)
        has_alpha = "A" in shown.getbands() or "transparency" in shown.info
        drawn = shown.convert("RGBA" if has_alpha else "RGB")
    drawn.thumbnail((side, side))
    return drawn


def page(content: bytes, side: int, number: int) -> tuple[Any, int]:
    """Return a page of the PDF in `content` as an image no larger than `side` pixels, and the number of pages.

    `number` counts from 1. Raise an exception if `content` is no PDF, needs a password, or has no such page.
    """
    import pypdfium2  # noqa: PLC0415 (imported once the limits apply)

    document = pypdfium2.PdfDocument(content)
    if not 1 <= number <= len(document):
        raise IndexError(number)
    shown = document[number - 1]
    scale = min(side / max(shown.get_size()), MOST_SCALE)
    return shown.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB"), len(document)


def run(kind: str, side: int, number: int) -> None:
    """Limit this process, render the file on standard input, and write the result to standard output.

    Raise an exception if the file cannot be rendered, so that the process ends with a status other than 0.
    """
    limit()
    content, pages = sys.stdin.buffer.read(), 1
    if kind == "pdf":
        drawn, pages = page(content, side, number)
    else:
        drawn = picture(content, side)
    made = io.BytesIO()
    drawn.save(made, "WEBP", quality=QUALITY)
    sys.stdout.buffer.write(b"%d %d %d\n" % (drawn.width, drawn.height, pages) + made.getvalue())


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
