"""List every page of the permission matrix: who may open it, and with which query strings it shows more."""

from tests.test_permissions import LED_ON, MATRIX, OK, STREAMS

NO_PAGES = (
    "GET /health", "GET /metrics", "GET /static/{path}", *STREAMS, "GET /agent/cases/{number}/feed", "GET /agent/cases/{number}/standing",
    "GET /agent/cases/{number}/presence", "GET /agent/cases/{number}/fields/{field}",
    "GET /agent/cases/views/counts", "GET /agent/finders/tags", "GET /agent/finders/departments",
    "GET /agent/finders/cases", "GET /agent/finders/contacts/{number}", "GET /finders/colleagues",
    "GET /agent/finders/customers/{customer}/contacts",
    "GET /agent/finders/cases/{number}", "GET /agent/finders/cases/{number}/links",
    "GET /agent/finders/colleagues", "GET /agent/finders/managers",
    "GET /agent/finders/callers", "GET /cases/new/suggestions", "GET /search/suggestions",
    "GET /agent/search/suggestions", "GET /help/{slug}/pictures/{name}",
    "GET /agent/finders/agents", "GET /agent/finders/customers", "GET /agent/finders/work", "GET /agent/time/preview",
    "GET /agent/time/{entry}/row", "GET /agent/time/week/row",
    "GET /notices/bell", "GET /agent/notices/bell", "GET /notices/{notice}", "GET /agent/notices/{notice}", "GET /agent/timer/bar",
    "GET /agent/prints/{field}", "GET /agent/timesheets/sums",
    "GET /agent/setup/changes/people", "GET /agent/setup/changes/things",
    "GET /agent/setup/outbox/people", "GET /agent/setup/outbox/{mail}/html",
    "GET /agent/finders/contracts", "GET /agent/finders/services", "GET /agent/finders/projects", "GET /agent/finders/tasks",
    *(
        name for name in MATRIX
        if name.startswith("GET ") and ("/files/" in name or name.endswith((".csv", ".pdf", ".png", ".xlsx", ".xml", ".zip")))
    ),
)  # fmt: skip
"""GET routes that return a file, an event stream, an HTML fragment or a redirect instead of a page."""
STEPS = ("GET /sign-in/second-factor", "GET /account/confirmation")
"""Pages that are shown only in the middle of a flow; tests/e2e/test_account.py checks them."""
MORE = {
    "Ada": ["/cases?show=all", "/invoices?show=unpaid", "/search?q=vpn", "/no-such-page"],
    "Noor": [
        "/agent/cases?view=all",
        "/agent/cases/new?customer=1",
        "/agent/search?q=a+acme+case",
        "/agent/search?q=log&in=files",
        "/agent/time?state=rejected",
        "/agent/approvals?drafts=yes",
        "/agent/invoices?customer=1&show=unpaid",
        "/agent/timesheets?kind=all&from=2026-01-01&group=customer&billing=billable&on=case",
        "/agent/projects/new?customer=1",
        "/agent/projects?state=all",
        "/agent/setup/changes?before=9",
        "/agent/setup/outbox?state=sent&kind=mail_notices&who=4",
        "/agent/setup/changes?thing=16&kind=access&from=2026-01-01",
        "/no-such-page",
    ],
}
"""By person, further URLs to open: query strings with which a page shows something else, and the error page."""


def pages_of(actor: str) -> list[str]:
    """Return the routes of all pages that a person of the permission matrix may open without being redirected.

    `actor` is the person's first name, or "nobody" for a visitor who is not signed in.
    """
    names = [name for name in MATRIX if name.startswith("GET ") and name not in NO_PAGES]
    return [
        name.removeprefix("GET ")
        for name in names
        if MATRIX[name].of(actor) == OK and actor not in LED_ON.get(name, ())
    ]
