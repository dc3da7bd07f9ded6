"""The pages that the benchmark loads, and the forms that it opens and sends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import cycle

from benchmarks.load import Connection

BOUNDARY = "benchmark-boundary"
MEBIBYTE = b"a line of a log file, as somebody attaches it\n" * 22_796


@dataclass(frozen=True, slots=True)
class Page:
    """A page to load, or a form to open and send.

    `who` is the kind of person, "" for a visitor who is not signed in. `path` may contain a placeholder for a case.
    `rows` is the number of rows that the floor page reads. A form is posted to `action` with the fields `sends` and the
    attachment `file`.
    """

    name: str
    who: str
    path: str
    rows: int = 0
    action: str = ""
    sends: dict[str, str] = field(default_factory=dict)
    file: bytes = b""

    @property
    def writes(self) -> bool:
        return bool(self.action)


PAGES = (
    Page("agent's list", "agent", "/agent/cases?view=all", rows=25),
    Page("case, 5 messages", "agent", "/agent/cases/{case}", rows=5),
    Page("case, 10,000 messages", "agent", "/agent/cases/{long case}", rows=25),
    Page("customer's list", "contact", "/cases", rows=25),
    Page("sign-in", "", "/sign-in"),
    Page("create a case", "agent", "/agent/cases/new?customer=1", 1, "/agent/cases/new", {"subject": "Silent printer", "body": "Since Monday."}),
    Page("reply with 1 MiB", "agent", "/agent/cases/{case}", 1, "/agent/cases/{case}/replies", {"body": "Here it is."}, MEBIBYTE),
    Page("log time", "agent", "/agent/time/new?on=case-{case}", 1, "/agent/time/new", {"duration": "1m", "external_comment": "Looked at it"}),
    # The timers come last, because every page shows them in its bar once they exist.
    Page("start a timer, pause another", "agent", "/agent/timer/bar?here=case-{case}", 1, "/agent/timer"),
    Page("bar with 100 timers", "agent", "/agent/timer/bar?here=case-{case}", rows=8),
)  # fmt: skip


class _Form(HTMLParser):
    """Collects the fields of the form that is sent to `action`, with the values that a browser would send.

    These are the values of a form that nobody has changed. The value of a textarea is not collected.
    """

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action, self.inside, self.seen = action, False, False
        self.target = action
        """The URL to which the form is sent: the action of the form with its query string."""
        self.fields: dict[str, str] = {}
        self.names: list[str] = []
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            target = given.get("action", self.action)
            self.inside = target.partition("?")[0] == self.action and given.get("method", "").lower() == "post"
            if self.inside:
                self.seen, self.target = True, target
        elif self.inside and tag == "input" and given.get("name"):
            self.names.append(given["name"])
            if given.get("type") not in ("file", "checkbox", "radio", "submit") or "checked" in given:
                self.fields[given["name"]] = given.get("value", "")
        elif self.inside and tag == "textarea" and given.get("name"):
            self.names.append(given["name"])
        elif self.inside and tag == "select":
            self.select = given.get("name", "")
        elif (
            self.inside and tag == "option" and self.select and ("selected" in given or self.select not in self.fields)
        ):
            self.fields[self.select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False


Flow = Callable[[Connection], Awaitable[None]]
"""A function that loads a page once over a connection, or opens a form and sends it once."""


def flow_of(page: Page, numbers: dict[str, list[str]], sizes: list[tuple[int, int]]) -> Flow:
    """Return the flow of a page or form. Each call of the flow puts the next values of `numbers` into the paths.

    Each call also appends the size of the page and its compressed size, in bytes, to `sizes`. A response with an
    unexpected status raises `AssertionError`.
    """
    turns = {name: cycle(given) for name, given in numbers.items()}

    async def run(connection: Connection) -> None:
        these = {name: next(turn) for name, turn in turns.items()}
        path, action = page.path.format(**these), page.action.format(**these)
        answer = await connection.send("GET", path)
        assert answer.status == 200, (path, answer.status)
        sizes.append((len(answer.body), answer.wire))
        if not page.writes:
            return
        form = _Form(action)
        form.feed(answer.body.decode())
        assert form.seen, f"{path} has no form for {action}"
        body = _multipart(form.fields | page.sends, page.file)
        sent = await connection.send("POST", form.target, body, f"multipart/form-data; boundary={BOUNDARY}")
        assert sent.status == 303, (action, sent.status, sent.body[-3000:].decode(errors="replace"))

    return run


def _multipart(fields: dict[str, str], file: bytes) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if file:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="client.log"\r\nContent-Type: text/plain\r\n\r\n'
        parts += [head.encode(), file, b"\r\n"]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
