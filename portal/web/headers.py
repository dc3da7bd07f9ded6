"""The security headers of every response (R39, R41, R42)."""

from portal.web.visit import Visit


def content_security_policy(nonce: str) -> str:
    """Return the content security policy of a page, which allows only scripts with this nonce.

    Other content is allowed only from the portal's own origin, except style elements with this nonce and images in
    `data:` URLs. No site may show the page in a frame.
    """
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; manifest-src 'self'"
    )


SANDBOX = "sandbox; default-src 'none'"
"""The content security policy of uploaded files: the browser runs no script in them."""


MAIL_FRAME = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
"""The content security policy of a mail's HTML in its frame: no script, no image, and no link that leads anywhere.

Mails have inline styles, because mail programs ignore style sheets. They can change nothing outside of the frame.
"""


def for_every_answer(visit: Visit, given: dict[bytes, bytes], *, public: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers to add to a response, including a Set-Cookie header for each new cookie of the visit.

    `given` are the headers that the response has already, with lower-case names; they are not added again. If the
    response is the same for everybody, `public` is true. If `public` is false, caches are told not to store the
    response, unless the response has a Cache-Control header already. A response that shared caches may store sets no
    cookie, because everybody would get the same cookie.
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
