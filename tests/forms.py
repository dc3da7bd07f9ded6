"""Read the forms of an HTML page and send them as a browser without JavaScript would."""

from dataclasses import dataclass, field
from typing import Any

import httpx
from lxml import etree

from tests.browser import Browser


@dataclass
class PageForm:
    """A form of a page.

    `fields` are the values that the form sends if nothing is changed, `offered` the values that each field offers,
    `targets` the paths to which the buttons send the form, and `names` the names of all fields.
    """

    method: str
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)
    targets: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    """The names of the fields into which somebody types text."""


class _Reader:
    """The target of an lxml parser, which calls `start`, `data` and `end`; `html.parser` takes five times as long."""

    def __init__(self) -> None:
        self.forms: list[PageForm] = []
        self.named: dict[str, PageForm] = {}
        self.here: PageForm | None = None
        self.select: tuple[str, list[tuple[str, bool]]] | None = None
        self.text: tuple[str, list[str]] | None = None

    def start(self, tag: str, given: dict[str, str]) -> None:
        if tag == "form":
            self.here = PageForm(given.get("method", "get"), given.get("action", ""))
            self.here.targets.add(self.here.action)
            self.forms.append(self.here)
            self.named[given.get("id", "")] = self.here
        elif tag in ("input", "button") and "form" in given and (named := self.named.get(given["form"])):
            self._control(named, tag, given)
        elif self.here is None:
            return
        elif tag in ("input", "button"):
            self._control(self.here, tag, given)
        elif tag == "select":
            self.select = (given["name"], [])
        elif tag == "option" and self.select:
            self.select[1].append((given.get("value", ""), "selected" in given))
        elif tag == "textarea":
            self.text = (given["name"], [])

    def _control(self, form: PageForm, tag: str, given: dict[str, str]) -> None:
        """Add an input or a button to its `form`: the form around it, or the form that its attribute `form` names."""
        if tag == "input":
            self._input(form, given)
            return
        form.targets.add(given.get("formaction", form.action))
        form.names |= {given["name"]} if given.get("name") else set()

    def _input(self, form: PageForm, given: dict[str, str]) -> None:
        name, kind, value = given.get("name", ""), given.get("type", "text"), given.get("value", "")
        if not name:
            return
        form.names.add(name)
        form.texts |= {name} if kind in ("text", "search", "email", "tel", "url") else set()
        form.offered.setdefault(name, []).append(value)
        if kind != "file" and (kind not in ("checkbox", "radio") or "checked" in given):
            form.fields.setdefault(name, []).append(value)

    def data(self, data: str) -> None:
        if self.text:
            self.text[1].append(data)

    def end(self, tag: str) -> None:
        if tag == "form":
            self.here = None
        elif tag == "select" and self.select and self.here:
            name, options = self.select
            chosen = [value for value, is_chosen in options if is_chosen] or [value for value, _ in options[:1]]
            self.here.fields[name], self.here.offered[name] = chosen, [value for value, _ in options]
            self.here.names.add(name)
            self.select = None
        elif tag == "textarea" and self.text and self.here:
            name, parts = self.text
            self.here.fields[name] = ["".join(parts).removeprefix("\n")]
            self.here.names.add(name)
            self.here.texts.add(name)
            self.text = None

    def close(self) -> None:
        """Do nothing: lxml requires this method."""


def forms_of(html: str) -> list[PageForm]:
    """Return all forms of an HTML page that are sent with POST."""
    reader = _Reader()
    parser = etree.HTMLParser(target=reader)
    parser.feed(html)
    parser.close()
    return [form for form in reader.forms if form.method == "post"]


def form_of(html: str, action: str) -> PageForm:
    """Return the form of the page that is sent to the path `action`, with or without a query string."""
    return next(form for form in forms_of(html) if action in {target.partition("?")[0] for target in form.targets})


async def send(
    browser: Browser, page: httpx.Response, action: str, *, files: Any = None, **typed: Any
) -> httpx.Response:
    """Fill in the page's form for `action` with the values `typed`, send it, and return the response.

    Each name in `typed` must be a field of the form.
    """
    form = form_of(page.text, action)
    assert set(typed) <= form.names, (set(typed) - form.names, action)
    to = form.action if form.action.startswith(f"{action}?draft=") else action
    answer = await browser.post(to, data={**form.fields, **typed}, files=files, headers={"referer": str(page.url)})
    assert isinstance(answer, httpx.Response)
    return answer
