"""Let a contact answer: on the case or, if it was closed too long ago, with a new case that continues it (S3.18)."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from portal.contracts.case_types import CaseType
from portal.desk.files.attachments import StoredFile
from portal.desk.verbs.changing import finish, lock
from portal.desk.workflow.follow_ups import is_too_late
from portal.desk.workflow.priorities import offered
from portal.people.readers import ContactReader

if TYPE_CHECKING:
    from portal.desk.cases import Case


async def answer(
    case: "Case",
    *,
    by: ContactReader,
    text: str,
    files: Sequence[StoredFile] = (),
    at: datetime,
    form_key: uuid.UUID | None = None,
) -> "Case":
    """Write a contact's reply, and return the case that contains it.

    If the case was closed too long ago, it stays closed, and the reply is the first message of a new case with the same
    subject. If contacts may choose the type of the closed case, the new case has the same type, otherwise the first
    type that contacts may choose. If contacts may choose the priority of the closed case, the new case has the same
    priority, otherwise the priority that the form of contacts preselects. If contacts may choose no type at all, the
    reply is written on the closed case. Sending the same `form_key` again writes nothing and returns the same case.
    Raise `Invalid` as `reply` does, and `TooMany` as `Case.open` does.
    """
    types = [one.id for one in await CaseType.offered_to_contacts()]
    if not types or not await is_too_late(case.id, at):
        await case.reply(by=by, text=text, files=files, at=at, form_key=form_key)
        return case
    priorities = await offered(to_contact=True)
    made = await type(case).open(
        by=by, subject=case.subject, text=text, files=files, at=at, form_key=form_key, follows=case,
        priority=case.priority if case.priority in dict(priorities.choices) else priorities.preselected,
        confidential=case.confidential,
        case_type_id=case.case_type_id if case.case_type_id in types else types[0],
        after=[("follows", {"number": case.number})],
    )  # fmt: skip
    if made.opened_at == at:  # The form was not sent before.
        await lock(case, by)
        await finish(case, [("followed", {"number": made.number})], by, at, told_as="case.changed")
    return made
