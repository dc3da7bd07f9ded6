"""Send mail to the SMTP server over an encrypted connection."""

import asyncio
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from portal.settings import LOOPBACK

SECONDS = 20
"""The timeout in seconds for each answer of the server."""
SECONDS_IN_ALL = 90
"""The timeout in seconds for one mail, so that a server that answers line by line without end is not waited for."""


class NotSent(Exception):
    """Report that a mail was not sent. The text names the kind of failure only, and no mail address."""


async def send(message: EmailMessage, smtp_url: str) -> None:
    """Send a mail: `smtps://` uses TLS from the first byte, `smtp://` starts with STARTTLS.

    Only a server on this machine may lack STARTTLS. Raise `NotSent`; where the connection broke after the server had
    taken the mail, it may have left all the same.
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
