"""Ask for the second factor after the password: an authenticator app's code, a passkey or a recovery code (R9, R10)."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Struct

from portal.database import transaction
from portal.errors import Invalid, TooMany
from portal.people import factors
from portal.people.access import credentials
from portal.people.factors import passkeys
from portal.web.bodies.receiving import read
from portal.web.challenges import challenge_of, new_challenge, relying_party_of
from portal.web.forms import Form
from portal.web.monitoring.metrics import REFUSED_SIGN_INS
from portal.web.pages import on_refusal, page, see_other
from portal.web.sessionless.sign_in import enter
from portal.web.sessionless.step import forget_step, remembered_step
from portal.web.visit import Web, safe_path, visit_of


class Proof(Struct, forbid_unknown_fields=True, kw_only=True):
    """Form fields of the second step: a typed code, or the response of a passkey.

    `answer` is the browser's authentication response as JSON, and `sealed` the challenge that the page put into the
    form. Both are "" if a code was typed.
    """

    code: str = ""
    answer: str = ""
    sealed: str = ""


@get("/sign-in/second-factor")
async def show(request: Web) -> Response[Any]:
    """Show the form for a second factor, with the factors that the person has set up.

    Redirect to the sign-in page if no password was proved in the last ten minutes, or if this browser is signed in.
    """
    step = remembered_step(request)
    if step is None or visit_of(request).reader:
        return see_other("/sign-in")
    return await _page(request, login_id=step[0].login_id)


async def _page(request: Web, *, login_id: int, **again: Any) -> Response[str]:
    relying_party = relying_party_of(request)
    challenge, sealed = new_challenge(request, "sign in", login_id)
    async with transaction(None, readonly=True):
        found = await factors.of(login_id)
        options = await passkeys.options_to_use(login_id, relying_party, challenge) if relying_party else None
    return page(request, "session/second_factor.html", factors=found, options=options, sealed=sealed, **again)


async def _needs_step_first(request: Web) -> Response[Any] | None:
    """Read the form and return None, or return a redirect to the sign-in page without reading the form.

    Redirect if no password was proved in the last ten minutes, or if this browser is signed in. Litestar runs this
    function before the handler.
    """
    if remembered_step(request) is None or visit_of(request).reader:
        return see_other("/sign-in")
    await read(request)
    return None


async def _again(request: Web, **again: Any) -> Response[Any]:
    """Count a refusal in the metrics, and show the page of the second step again.

    Redirect to the sign-in page if the password was proved too long ago.
    """
    REFUSED_SIGN_INS.inc()
    step = remembered_step(request)
    return await _page(request, login_id=step[0].login_id, **again) if step else see_other("/sign-in")


@post("/sign-in/second-factor", before_request=_needs_step_first)
@on_refusal(_again, TooMany, only=[])
async def prove(request: Web, form: NamedDependency[Form], at: NamedDependency[datetime]) -> Response[Any]:
    """Check the second factor and, if it is right, begin the session and redirect to the page that the person wanted.

    Redirect to the sign-in page if no password was proved in the last ten minutes, if the password was changed or the
    access ended since then, or if this browser is signed in already.
    """
    step = remembered_step(request)
    if step is None or visit_of(request).reader:
        return see_other("/sign-in")
    proven, next_path = step
    try:  # This check comes first, so that no recovery code is used up in vain.
        async with transaction(None):
            await credentials.hold(proven)
    except Invalid:
        return _overtaken(request)
    factor = await _proved(request, proven.login_id, form.into(Proof), at)
    forget_step(request)
    try:
        async with transaction(None):
            await credentials.hold(proven)
            where = await enter(request, proven.login_id, safe_path(next_path), at, factor=factor)
    except Invalid:
        return _overtaken(request)
    return see_other(where)


def _overtaken(request: Web) -> Response[Any]:
    """Forget the proved password and return a redirect to the sign-in page.

    Call this if the password was changed, or the person's access ended, after the password was proved.
    """
    forget_step(request)
    return see_other("/sign-in?changed=yes")


async def _proved(request: Web, login_id: int, proof: Proof, at: datetime) -> factors.Factor:
    """Check the typed code or, if a passkey responded, its response. Return the kind of factor that is proved.

    Raise `Invalid` if the code or the response is wrong, `TooMany` after too many attempts.
    """
    if not proof.answer:
        return await factors.check_code(login_id, proof.code, visit_of(request).settings.sealer, at)
    relying_party = relying_party_of(request)
    challenge = challenge_of(request, "sign in", login_id, proof.sealed)
    if relying_party is None:
        raise Invalid({"": passkeys.REFUSED})
    await factors.admit(login_id, at)
    async with transaction(None):
        await passkeys.use(login_id, proof.answer, relying_party, challenge, at)
        await factors.forget_tries(login_id)
    return "passkey"


handlers: list[Any] = [show, prove]
