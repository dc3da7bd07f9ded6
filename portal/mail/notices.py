"""Write the mails that bring notices, at once or in a digest."""

from datetime import datetime

from portal.database import transaction
from portal.desk.verbs.rating_link import rating_link
from portal.mail.composing import Mail, compose, domain_of, let_stop
from portal.mail.receivers import owner
from portal.notices import mailing
from portal.notices.inbox import Told
from portal.notices.unsubscribing import DIGEST, Unsubscription
from portal.people.readers import SYSTEM
from portal.settings import Settings


async def told(batch: int, settings: Settings, at: datetime) -> Mail | None:
    """Return the mail with those notices of a batch (`portal.notices.mailing`) that its recipient may see now.

    Mails about one case, entry or invoice refer to the same Message-ID, so that mail programs show them as one thread.
    A mail to a contact about one solved case has a link to rate the solution, for as long as `rating_link` returns one.
    Return None if the batch does not exist, or if the recipient no longer has access to the portal or may see none of
    the notices any more.
    """
    async with transaction(SYSTEM, readonly=True):
        found = await mailing.find(batch)
    receiver = await owner(found.credential_id) if found else None
    if found is None or receiver is None:
        return None
    async with transaction(receiver, readonly=True):
        items = await mailing.items_of(batch, receiver)
        is_thread = len({(item.told.kind.about, item.told.subject_id) for item in items}) == 1
        link = await rating_link(items[0].told.number, receiver, at) if is_thread else None
    if not items:
        return None
    first = items[0].told
    subject, button = _about(first) if is_thread else (f"{len(items)} things happened", "Open the list")
    place = first.place if is_thread else ("/notices" if receiver.is_contact else "/agent/notices")
    stopped = Unsubscription.of(receiver, [DIGEST] if found.is_digest else [item.told.kind.name for item in items])
    stop = f"{settings.base_url}/unsubscriptions/{stopped.token(settings.sealer)}"
    message = await compose(
        settings, receiver, "told", subject, at, id=f"notices.{batch}", items=items, button=button, stop=stop,
        rate=f"{settings.base_url}/ratings/{link.token(settings.sealer)}" if link else "", reasons=stopped.words,
        link=f"{settings.base_url}{place}", base=settings.base_url,
    )  # fmt: skip
    if is_thread:
        thread = f"<{first.kind.about}.{first.subject_id}@{domain_of(settings)}>"
        message["References"] = message["In-Reply-To"] = thread
    let_stop(message, stop)
    return message


def _about(told: Told) -> tuple[str, str]:
    """Return the subject and the label of the button of a mail whose notices are all about one thing."""
    if told.number is not None:
        return f"#{told.number} {told.subject}", "Open the case"
    return told.words, told.kind.button
