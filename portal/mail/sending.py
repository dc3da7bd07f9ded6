"""Send mails through the configured SMTP server, encrypted unless the server runs on this machine."""

import asyncio
import re
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from portal.settings import LOOPBACK

SECONDS = 20
"""The timeout in seconds for each response of the SMTP server."""
SECONDS_IN_ALL = 90
"""The timeout in seconds for one mail altogether: a slow server can respond many times without exceeding `SECONDS`."""
NO_UTF8 = "The mail server takes no address with letters such as “ü” before the @ (it lacks SMTPUTF8)."
LONGEST_ANSWER = 300
"""The maximum number of characters of a server's reply that are kept."""


class NotSent(Exception):
    """A mail was not sent. The message is the type of the error and the SMTP status; it contains no mail address.

    `answer` is the server's reply, which may contain the mail address, or an error message for admins. `is_permanent`
    is True if the server will refuse the same mail every time, and `is_of_address` if it will refuse every other mail
    to this address too.
    """

    def __init__(self, words: str, answer: str, *, is_permanent: bool = False, is_of_address: bool = False) -> None:
        super().__init__(words)
        self.answer = answer
        self.is_permanent = is_permanent
        self.is_of_address = is_of_address


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
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0]) from None
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error) from None
    except aiosmtplib.SMTPNotSupported as error:
        is_of_address = not str(message["To"]).isascii()
        raise NotSent(type(error).__name__, NO_UTF8, is_permanent=True, is_of_address=is_of_address) from None
    except aiosmtplib.SMTPResponseException as error:
        raise NotSent(f"{type(error).__name__} {error.code}", _answer(error)) from None
    except TimeoutError as error:
        raise NotSent(type(error).__name__, "The mail server did not answer in time.") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotSent(type(error).__name__, "The connection to the mail server failed.") from None


_STATUS = re.compile(r"\b[245]\.(\d{1,3})\.\d{1,3}\b")
"""An enhanced status code (RFC 3463). Its second number is the topic: 1 is the address, 2 is the mailbox."""
_OF_ADDRESS = (550, 551, 553)
"""SMTP replies that, without an enhanced status code, mean that the mailbox does not exist (RFC 5321, 4.2.3)."""


def _refusal(error: aiosmtplib.SMTPResponseException) -> NotSent:
    """Return the error to raise for the server's reply to the recipient or to the content of the mail.

    A reply about policy or content, such as `550 5.7.1`, concerns the sender or this mail, and not the address.
    """
    answer = _answer(error)
    status = _STATUS.search(answer)
    is_permanent = error.code >= 500
    return NotSent(
        f"{type(error).__name__} {error.code}", answer, is_permanent=is_permanent,
        is_of_address=is_permanent and (status[1] in ("1", "2") if status else error.code in _OF_ADDRESS),
    )  # fmt: skip


def _answer(error: aiosmtplib.SMTPResponseException) -> str:
    """Return the printable beginning of a server's reply."""
    said = "".join(sign if sign.isprintable() else " " for sign in f"{error.code} {error.message}")
    return said[:LONGEST_ANSWER]
