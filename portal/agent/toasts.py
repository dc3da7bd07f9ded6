"""Build the message (toast) that a page shows after a redirect: about time entries, decisions or replies."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from portal.billing import Outcome
from portal.durations import spoken
from portal.numbers import number_in, uuid_in
from portal.render.formats import plural
from portal.timekeeping.states import Submission

TOLD = ("submitted", "submission", "left_out", "back", "kept", "gone", "lifted")
"""The query parameters of a redirect that carry the message.

The parameters are counts of entries, the id of a submission and, as `gone`, the minutes of a deleted entry.
"""
OF_DECISIONS = ("approved", "rejected", "flagged", "withdrawn", "decision")
"""The query parameters that carry the message after a decision, on the pages on which managers decide."""


def told_of(outcome: Submission) -> dict[str, int | None]:
    """Return the query parameters from which `toast_of` builds the message about a submission."""
    return {"submitted": len(outcome.submitted), "submission": outcome.id, "left_out": outcome.left_out or None}


def told_of_decision(outcome: Outcome, verb: str) -> dict[str, object]:
    """Return the query parameters for the message about a decision: the number of entries, and the id of the decision.

    The id is left out if the decision cannot be undone. `verb` is one of `OF_DECISIONS`.
    """
    return {verb: len(outcome.done)} | ({"decision": outcome.decision} if outcome.decision else {})


def toast_of_decision(
    told: Mapping[str, object], words: Mapping[str, str], page: str, query: str
) -> dict[str, str] | None:
    """Return the message about the decision that the parameters `told` describe, or None if they describe none.

    `words` maps each verb to what follows the number of entries. If the decision can be undone, the message has the URL
    of its undo button: a path below `page`, with the query string `query`.
    """
    decision = uuid_in(str(told.get("decision") or ""))
    for verb, text in words.items():
        if count := number_in(str(told.get(verb) or "")):
            toast = {"words": f"{plural(count, 'entry', 'entries')} {text}"}
            return toast | ({"undo": f"{page}/decisions/{decision}/withdrawal{query}"} if decision else {})
    return None


def address_after(page: str, told: Mapping[str, int | None]) -> str:
    """Return the path `page`, which may have a query string and a fragment, with the query parameters `told`.

    The parameters of earlier messages are removed.
    """
    address, _, fragment = page.partition("#")
    path, _, query = address.partition("?")
    kept = [(name, value) for name, value in parse_qsl(query) if name not in TOLD + OF_DECISIONS]
    kept += [(name, str(value)) for name, value in told.items() if value is not None]
    return path + (f"?{urlencode(kept)}" if kept else "") + (f"#{fragment}" if fragment else "")


def toast_of_reply(told: Mapping[str, object], page: str) -> dict[str, Any] | None:
    """Return the message about the reply that was sent to the case with the number `?sent=`, or None without `?sent=`.

    `page` is the path and query of the page with the message. If the reply can still be withdrawn, `?held=` is the key
    of the reply's form, and the message has the URL that withdraws the reply.
    """
    number, held = number_in(str(told.get("sent") or "")), uuid_in(str(told.get("held") or ""))
    if not number:
        return None
    last = " That was the last case of this list." if page.startswith("/agent/cases?") else ""
    if not held:
        return {"words": f"Your reply to #{number} is sent.{last}"}
    path, _, query = page.partition("#")[0].partition("?")
    # The undo link returns to the case of the reply. If this page shows another case, its neighbours in the list
    # (`next`, `previous`) are not the neighbours of the case of the reply.
    beside = () if path == f"/agent/cases/{number}" else ("next", "previous")
    kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in ("sent", "held", *beside)]
    undo = f"/agent/cases/{number}/replies/{held}/withdrawal" + (f"?{urlencode(kept)}" if kept else "")
    return {"words": f"Your reply to #{number} goes out in 10 seconds.{last}", "undo": undo}


def toast_of(told: Mapping[str, object], page: str) -> dict[str, Any] | None:
    """Return the message about time entries that the parameters `told` describe, or None if they describe none.

    The message about a submission has a button that undoes the submission and returns to `page`, the path and query of
    the page with the message. The filter by state is removed from `page`, because undoing changes the entries' state.
    """
    count, submission, left_out, back, kept, gone, lifted = (number_in(str(told.get(name) or "")) for name in TOLD)
    if lifted:
        return {"words": f"{plural(lifted, 'entry is', 'entries are')} no longer flagged."}
    if gone:
        return {"words": f"{spoken(gone)} deleted."}
    if back:
        also = f" A manager has decided on {kept} more." if kept else ""
        return {"words": f"{plural(back, 'entry', 'entries')} taken back.{also}"}
    if not any(told.get(name) for name in TOLD):
        return None
    words = f"{plural(count, 'entry', 'entries') if count else 'Nothing more was'} submitted."
    if left_out:
        words += f" {plural(left_out, 'rejected entry', 'rejected entries')} left out: nobody has changed them."
    if not submission:
        return {"words": words}
    path, _, query = page.partition("?")
    filters = [(name, value) for name, value in parse_qsl(query) if name not in (*TOLD, "state", "after")]
    where = path + (f"?{urlencode(filters)}" if filters else "")
    return {
        "words": words,
        "undo": f"/agent/time/submissions/{submission}/withdrawal",
        "fields": {"back": where},
    }
