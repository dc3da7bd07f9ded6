"""Let people choose what they are notified of, and how: in the app, by mail at once, in a daily mail, or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from portal.database import transaction
from portal.fields import Checked, one_of, optional, whole
from portal.notices.choices import Choice, Choices, Mail, own_choices, save
from portal.notices.kinds import KINDS, Kind, told_to
from portal.people.readers import Reader
from portal.web.account.pages import account_page
from portal.web.edits import as_seen, edited
from portal.web.forms import Form
from portal.web.guards import signed_in
from portal.web.pages import on_refusal, see_other
from portal.web.visit import Web, visit_of

HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]


def _name(kind: Kind, of: str) -> str:
    """Return the name of a form field for a kind of notice.

    With `of="app"`, the field says whether the app shows the notices; with `of="mail"`, how they are mailed.
    """
    return f"{kind.name.replace('.', '_')}_{of}"


def _kinds(reader: Reader) -> list[Kind]:
    """Return the kinds of notices that the form offers: those that the reader's rights allow them to get."""
    return told_to(reader)


@cache
def _form(*names: str) -> type[msgspec.Struct]:
    """Return the struct of a form that offers the kinds with these names.

    The struct has two fields for each kind. Three more fields are hours of the day: when the digest is mailed, when the
    quiet time begins, and when it ends.
    """
    kinds = [KINDS[name] for name in names]
    fields: list[Any] = [(_name(kind, "app"), bool, False) for kind in kinds]
    fields += [(_name(kind, "mail"), str, "") for kind in kinds]
    hours = [(name, str, "") for name in ("digest_hour", "quiet_from", "quiet_to")]
    return msgspec.defstruct("Chosen", [*fields, *hours], kw_only=True)


def _shown(choices: Choices, kinds: Sequence[Kind]) -> msgspec.Struct:
    """Return the form for these kinds as a struct, filled in with the stored `choices`.

    A kind that is not for this reader's side (contacts or agents) is shown as not chosen.
    """
    values: dict[str, Any] = {
        "digest_hour": str(choices.digest_hour),
        "quiet_from": "" if choices.quiet_from is None else str(choices.quiet_from),
        "quiet_to": "" if choices.quiet_to is None else str(choices.quiet_to),
    }
    for kind in kinds:
        if choice := choices.of(kind):
            values |= {_name(kind, "app"): choice.in_app, _name(kind, "mail"): choice.mail.value}
    return _form(*(kind.name for kind in kinds))(**values)


def _chosen(form: msgspec.Struct, stored: Choices, kinds: Sequence[Kind]) -> Choices:
    """Return a copy of `stored` in which the submitted form replaces the hours and the choices for these kinds.

    Raise `Invalid` for a value that the form does not offer.
    """
    checked, values = Checked(), msgspec.structs.asdict(form)
    chosen = {
        kind.name: Choice(
            values[_name(kind, "app")],
            Mail(checked(_name(kind, "mail"), one_of(tuple(Mail)), values[_name(kind, "mail")]) or Mail.NEVER),
        )
        for kind in kinds
    }
    hour = whole(0, 23)
    digest_hour = checked("digest_hour", hour, values["digest_hour"])
    quiet_from, quiet_to = (checked(name, optional(hour), values[name]) for name in ("quiet_from", "quiet_to"))
    checked.done()
    return replace(
        stored, kinds={**stored.kinds, **chosen}, digest_hour=digest_hour, quiet_from=quiet_from, quiet_to=quiet_to
    )


@get("/account/notices", guards=[signed_in])
async def show(request: Web) -> Response[str]:
    """Show the form in which the reader chooses what to be notified of, and how."""
    return await _show(request)


async def _show(
    request: Web, *, typed: dict[str, Any] | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    reader: Any = visit_of(request).reader
    shown = _shown(await own_choices(reader), _kinds(reader))
    rows = [
        (side.word, _name(kind, "app"), _name(kind, "mail"))
        for kind in _kinds(reader)
        if (side := kind.side(of_contact=reader.is_contact))
    ]
    return await account_page(
        request, "account/notices.html", rows=rows, chosen=msgspec.structs.asdict(shown), seen=as_seen(shown), hours=HOURS,
        ways=[(mail.value, mail.word) for mail in Mail], is_saved="saved" in request.query_params,
        has_server=visit_of(request).settings.smtp_url is not None,
        typed=typed or {}, errors=errors or {},
    )  # fmt: skip


@post("/account/notices", guards=[signed_in])
@on_refusal(_show)
async def choose(reader: NamedDependency[Any], form: NamedDependency[Form]) -> Response[Any]:
    """Store what the reader wants to be notified of, and redirect to the form.

    A field that the reader did not change in the form keeps the value that is stored now.
    """
    async with transaction(reader):
        stored, kinds = await own_choices(reader, hold=True), _kinds(reader)
        shown = _shown(stored, kinds)
        await save(reader, _chosen(edited(form, type(shown), shown), stored, kinds))
    return see_other("/account/notices?saved=yes")


handlers: list[Any] = [show, choose]
