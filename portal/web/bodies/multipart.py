"""Read the body of a form piece by piece, so that no file is held in memory and limits apply while it arrives."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import inf
from typing import Any
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, QuerystringParser, parse_options_header

from portal.errors import BadRequest, TooLarge

MAX_FIELDS = 2_000
MAX_TEXT = 2_000_000
"""The maximum number of bytes of all text fields of a form together, without its files."""
MAX_BOUNDARY = 70
"""The maximum number of characters of a multipart boundary, the separator of a body's parts (RFC 2046, 5.1.1)."""


@dataclass(slots=True)
class Part:
    """The header of one part of the body. The part is a text field if `filename` is None, else a file."""

    name: str
    filename: str | None
    media_type: str


class Body:
    """A multipart or urlencoded body, read part by part: call `next_part()`, then read all of `chunks()`, and repeat.

    `stream` yields the bytes of the body. The constructor raises `BadRequest` if `content_type` is not the type of a
    form. Reading raises `BadRequest` for a body that is malformed or cut off, and `TooLarge` for a urlencoded body of
    more than `MAX_TEXT` bytes.
    """

    def __init__(self, stream: AsyncIterator[bytes], content_type: str) -> None:
        self._stream = stream
        self._events: deque[Part | bytes | None] = deque()
        self._done = False
        kind, options = parse_options_header(content_type)
        # A urlencoded body contains only text, so the limit applies to the whole body, with names and empty fields.
        self._left: float = inf
        self._heard: _MultipartEvents | _QueryEvents
        if kind == b"multipart/form-data" and 0 < len(options.get(b"boundary", b"")) <= MAX_BOUNDARY:
            self._heard = _MultipartEvents(self._events)
            self._parser: Any = MultipartParser(options[b"boundary"], self._heard.callbacks())  # type: ignore[arg-type]
        elif kind in (b"application/x-www-form-urlencoded", b""):
            self._left = MAX_TEXT
            self._heard = _QueryEvents(self._events)
            self._parser = QuerystringParser(self._heard.callbacks())  # type: ignore[arg-type]
        else:
            raise BadRequest("This is not a form.")

    async def next_part(self) -> Part | None:
        """Return the header of the next part, or None at the end of the form.

        Raise `BadRequest` if the content of the previous part was not read to its end.
        """
        event = await self._next()
        if event is not None and not isinstance(event, Part):
            raise BadRequest
        return event

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the content of the part that `next_part()` returned last, in chunks.

        Raise `BadRequest` for a malformed form.
        """
        while (event := await self._next()) is not None:
            if isinstance(event, Part):
                raise BadRequest
            yield event

    async def _next(self) -> Part | bytes | None:
        while not self._events:
            if self._done:
                return None
            try:
                chunk = await anext(self._stream, None)
                if chunk is None:
                    self._done = True
                    self._parser.finalize()
                    # The body was cut off, and a part of a file or of a text must not be stored as if it were complete.
                    if not self._heard.ended:
                        raise BadRequest
                elif chunk:
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise TooLarge("This text is too large.")
                    self._parser.write(chunk)
            except FormParserError as error:
                raise BadRequest from error
        return self._events.popleft()


class _MultipartEvents:
    """Turns the callbacks of the parser into a queue of events: the header of a part, its bytes, and None for its end."""

    def __init__(self, events: deque[Part | bytes | None]) -> None:
        self.events = events
        self.header, self.value = b"", b""
        self.headers: dict[bytes, bytes] = {}
        self.ended = False

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self.begin, "on_header_field": self.header_name, "on_header_value": self.header_value, "on_header_end": self.header_end,
            "on_headers_finished": self.head, "on_part_data": self.data, "on_part_end": lambda: self.events.append(None), "on_end": self.end,
        }  # fmt: skip

    def begin(self) -> None:
        self.headers = {}

    def end(self) -> None:
        self.ended = True

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def header_end(self) -> None:
        self.headers[self.header.lower()] = self.value
        self.header, self.value = b"", b""

    def head(self) -> None:
        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        filename = options.get(b"filename")
        media_type = self.headers.get(b"content-type", b"").decode("latin-1")
        self.events.append(
            Part(_name(options.get(b"name", b"")), None if filename is None else _text(filename), media_type)
        )

    def data(self, data: bytes, start: int, end: int) -> None:
        self.events.append(data[start:end])


class _QueryEvents:
    """Turns the callbacks of the urlencoded parser into the events of `_MultipartEvents`: each field is a text part."""

    ended = True
    """True from the start, because a urlencoded body has no end marker that could be missing."""

    def __init__(self, events: deque[Part | bytes | None]) -> None:
        self.events = events
        self.name, self.value = b"", b""

    def callbacks(self) -> dict[str, Any]:
        return {"on_field_name": self.field_name, "on_field_data": self.field_data, "on_field_end": self.end}

    def field_name(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def field_data(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def end(self) -> None:
        self.events += [Part(_name(_unquoted(self.name)), None, ""), _unquoted(self.value), None]
        self.name, self.value = b"", b""


def _unquoted(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _name(raw: bytes) -> str:
    """Decode the name of a field.

    Raise `BadRequest` if it is not UTF-8 or contains a NUL, which a draft could not store.
    """
    if b"\0" in raw:
        raise BadRequest
    return _text(raw)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest from error


async def within(chunks: AsyncIterator[bytes], limit: int, sentence: str) -> AsyncIterator[bytes]:
    """Yield the chunks unchanged. Raise `TooLarge` with `sentence` as soon as they have more than `limit` bytes."""
    async for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise TooLarge(sentence)
        yield chunk
