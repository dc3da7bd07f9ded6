"""The desk: cases, their messages and files, the log of each case, and the rules for what may happen to a case."""

from portal.contracts.case_types import CaseType
from portal.desk.cases import Case
from portal.desk.details import Details
from portal.desk.events import CaseEvent
from portal.desk.feed import Feed, feed_of, files_of
from portal.desk.files.attachments import Attachment
from portal.desk.files.endings import EndingFacts, RefusedEnding
from portal.desk.lists import Listed, agents_list, countings, customers_list, named_elsewhere
from portal.desk.lists.questions import Question, searched
from portal.desk.lists.views import Due, Sort
from portal.desk.messages import Message, problems_of
from portal.desk.overview import Overview, overview
from portal.desk.workflow import Priority, Status

case_types = CaseType.offered
"""Return the case types that forms offer, in the order that an admin has set."""

__all__ = [
    "Attachment", "Case", "CaseEvent", "CaseType", "Details", "Due", "EndingFacts", "Feed", "Listed", "Message",
    "Overview",
    "Priority", "Question", "RefusedEnding", "Sort", "Status", "agents_list", "case_types", "countings", "customers_list", "feed_of",
    "files_of", "named_elsewhere", "overview", "problems_of", "searched",
]  # fmt: skip
