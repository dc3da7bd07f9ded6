"""A real SMTP server for tests that keeps the mails that it receives, or refuses them as real servers do."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class Sink:
    """The handler of the test SMTP server. It keeps the received mails in `messages`.

    `receivers` has the replies that refuse the next receivers, such as "550 No such mailbox", and `answers` the replies
    to the contents of the next mails; each reply is used once. `hangs` says where the server stops answering: "" nowhere,
    "at the greeting", or, for any other text, after the content of the mail. If `drops` is set, the server keeps the mail
    and then breaks the connection. `commands` has the names of the SMTP commands received. A test that stops the server
    sets `stopped`.
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answers: list[str] = []
        self.receivers: list[str] = []
        self.stopped = False
        self.hangs = ""
        self.drops = False
        self.commands: set[str] = set()

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.commands.add("EHLO")
        if self.hangs == "at the greeting":
            await asyncio.sleep(30)
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self.commands.add("MAIL")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.receivers:
            return self.receivers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.commands.add("DATA")
        if self.hangs:
            await asyncio.sleep(30)
        if self.answers:
            return self.answers.pop(0)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.drops:
            server.transport.abort()
        return "250 OK"


class Server(Controller):
    """The test SMTP server on a port of its own. It can be stopped, and started again on the same port."""

    def __init__(self, sink: Sink, port: int) -> None:
        super().__init__(sink, hostname="127.0.0.1", port=port)
