"""Define the headers of every answer (R39, R41, R42)."""

from portal.web.visit import Visit


def content_security_policy(nonce: str) -> str:
    """Return a policy that allows scripts by nonce only, everything else from this origin, and no framing."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; manifest-src 'self'"
    )


SANDBOX = "sandbox; default-src 'none'"
"""The policy for uploaded files: the browser runs nothing in them, whatever they hold."""


def for_every_answer(visit: Visit, given: dict[bytes, bytes], *, public: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers to add to those that the answer has already (`given`, by lower-case name).

    `public` is for files that are the same for all. An answer that shared caches may keep sets no cookie: everybody would get the same one.
    """
    headers = {
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"same-origin",
        b"cross-origin-opener-policy": b"same-origin",
        b"cross-origin-resource-policy": b"same-origin",
        b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=()",
        b"content-security-policy": content_security_policy(visit.nonce).encode(),
        b"x-request-id": visit.id.encode(),
    }
    if not public:
        headers[b"cache-control"] = b"no-store"
        headers[b"vary"] = b"HX-Request, HX-Boosted, HX-History-Restore-Request, Accept-Encoding"
    if visit.settings.secure_cookies:
        headers[b"strict-transport-security"] = b"max-age=63072000; includeSubDomains"
    added = [(name, value) for name, value in headers.items() if name not in given]
    is_shared = given.get(b"cache-control", b"").startswith(b"public")
    return added + [(b"set-cookie", cookie.encode()) for cookie in visit.new_cookies if not is_shared]
