"""List every page from the permission matrix: who may open it, and the URLs that show more than the bare one."""

from tests.test_permissions import LED_ON, MATRIX, OK, STREAMS

NO_PAGES = (
    "GET /health", "GET /metrics", "GET /static/{path}", *STREAMS, "GET /agent/cases/{number}/feed",
    "GET /agent/finders/agents", "GET /agent/finders/customers", "GET /agent/finders/work", "GET /agent/time/preview",
    "GET /agent/prints/{field}",
    *(name for name in MATRIX if name.startswith("GET ") and ("/files/" in name or name.endswith((".csv", ".pdf", ".png")))),
)  # fmt: skip
"""GET routes that answer a file, a stream or a fragment."""
STEPS = ("GET /sign-in/second-factor", "GET /account/confirmation")
"""Pages that appear only in the middle of a flow; tests/e2e/test_account.py checks them."""
MORE = {
    "Ada": ["/cases?show=all", "/no-such-page"],
    "Noor": [
        "/agent/cases?view=all",
        "/agent/cases/new?customer=1",
        "/agent/time?state=rejected",
        "/agent/approvals?drafts=yes",
        "/agent/projects/new?customer=1",
        "/agent/projects?state=all",
        "/agent/setup/changes?before=9",
        "/no-such-page",
    ],
}
"""Pages that appear only with a query string."""


def pages_of(actor: str) -> list[str]:
    """Return the routes of all pages that this actor may open."""
    names = [name for name in MATRIX if name.startswith("GET ") and name not in NO_PAGES]
    return [
        name.removeprefix("GET ")
        for name in names
        if MATRIX[name].of(actor) == OK and actor not in LED_ON.get(name, ())
    ]
