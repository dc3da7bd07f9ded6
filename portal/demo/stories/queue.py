"""Put tags on open cases of the demo, snooze one of them, and save views of the list of cases."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from portal.desk.cases import Case
from portal.desk.lists import agents_list
from portal.desk.lists.own_views import OwnView, ViewFacts
from portal.desk.lists.questions import Question
from portal.desk.lists.views import Sort
from portal.desk.tagging.tags import Tag, add_tag
from portal.desk.verbs.snoozing import snooze
from portal.desk.workflow import Status
from portal.people.readers import AgentReader

WORDS = {"vpn": "VPN", "server": "server room", "printer": "printer", "mail": "mail"}
"""The name of the tag that a case gets, by the word that occurs in the subject of the case."""
TAGGED = 5
"""How many cases get each tag at most."""


async def arrange(agents: Mapping[str, AgentReader], now: datetime) -> None:
    """Tag open cases by a word of their subject, snooze one, and save two views, one of them for all agents."""
    ines, max_ = agents["Ines Okafor"], agents["Max Herrmann"]
    tags = {}
    for word, name in WORDS.items():
        tags[word] = await Tag.named(name, now)
        for row in (await agents_list(ines, Question(text=word, at=now))).rows[:TAGGED]:
            await add_tag(await Case.find(row.number, ines), tags[word], by=ines, at=now)
    for name, query, owner, is_shared in (
        ("VPN", f"?view=all&tag={tags['vpn'].id}", ines, ""),
        ("High and urgent", "?view=all&priority=4&priority=3&sort=due", max_, "yes"),
    ):
        await OwnView.save_new(ViewFacts(name=name, query=query, is_shared=is_shared), by=owner, at=now)
    # Snooze the case that has waited longest for its customer, for three days. It must not be a case of Acme: a contact
    # of Acme asks about time later, and a text by the customer ends a snooze.
    waiting = Question(statuses=(Status.WAITING_FOR_CUSTOMER,), sort=Sort.UPDATED, turned=True, at=now)
    for row in [row for row in (await agents_list(ines, waiting)).rows if row.customer != "Acme"][:1]:
        await snooze(await Case.find(row.number, ines), now + timedelta(days=3), by=ines, at=now)
