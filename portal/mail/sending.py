"""Send a mail to the configured SMTP server, encrypted unless the server runs on this machine."""

import asyncio
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from portal.settings import LOOPBACK

SECONDS = 20
"""The timeout in seconds for each response of the SMTP server."""
SECONDS_IN_ALL = 90
"""The timeout in seconds for one mail altogether: a slow server can respond many times without exceeding `SECONDS`."""


class NotSent(Exception):
    """Raised if a mail was not sent. Its message is the type of the error and the SMTP status; it has no mail address."""


async def send(message: EmailMessage, smtp_url: str) -> None:
    """Send a mail through the SMTP server of `smtp_url`.

    `smtps://` uses TLS from the first byte, `smtp://` upgrades by STARTTLS. A server without STARTTLS is accepted only
    if it runs on this machine. Raise `NotSent` if the server refuses the mail, cannot be reached or does not respond in
    time. If the connection breaks after the server has accepted the mail, the mail may be delivered although `NotSent`
    is raised.
    """
    url = urlsplit(smtp_url)
    at_once = url.scheme == "smtps"
    try:
        async with asyncio.timeout(SECONDS_IN_ALL):
            await aiosmtplib.send(
                message,
                hostname=url.hostname,
                port=url.port or (465 if at_once else 25 if url.hostname in LOOPBACK else 587),
                username=unquote(url.username) if url.username else None,
                password=unquote(url.password) if url.password else None,
                use_tls=at_once,
                start_tls=None if at_once or url.hostname in LOOPBACK else True,
                timeout=SECONDS,
            )
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        code = getattr(error, "code", "")
        raise NotSent(f"{type(error).__name__} {code}".strip()) from None
