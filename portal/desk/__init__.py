"""The desk: cases, their dialogue, files, events and what may happen to them."""

from portal.desk.attachments import Attachment
from portal.desk.cases import Case
from portal.desk.details import Details
from portal.desk.events import CaseEvent
from portal.desk.facts import CaseType, case_types
from portal.desk.messages import Message
from portal.desk.workflow import SETTABLE, Priority, Status

__all__ = [
    "SETTABLE",
    "Attachment",
    "Case",
    "CaseEvent",
    "CaseType",
    "Details",
    "Message",
    "Priority",
    "Status",
    "case_types",
]
