"""Write the help articles of the demo: what customers ask again and again, and what agents look up."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from portal.desk.help import pictures
from portal.desk.help.articles import Article, Audience, HelpFacts
from portal.people.readers import AgentReader

APART = timedelta(days=9)
"""The time between two articles, and between the last article and now."""
PICTURE = "vpn-client.png"

ARTICLES = (
    (
        "Ines Okafor",
        "Connect to the VPN from home",
        """\
You need the VPN client on your laptop and your second factor.

## Connect

1. Open **Halden VPN** from the menu bar.
2. Choose your site and press **Connect**.
3. Confirm the request on your phone.

![The window of the VPN client](vpn-client.webp)

## If it stops after some minutes

- Switch the laptop from Wi-Fi to a cable and try again.
- On a hotel network, open any page in the browser first: many of them ask you to agree to their terms.
- `no route to host` in the log means that our side does not answer. Then open a case; we see the same within minutes.
""",
        Audience.EVERYBODY,
        True,
    ),
    (
        "Lena Vogt",
        "Replace the phone that confirms your sign-in",
        """\
Before you hand the old phone back, open **Your account, Second factor** in this portal and add the new one.

If the old phone is gone already, use one of the recovery codes that you printed. Without a code, call us: we ask the
contact who looks after your access to confirm that it is you.
""",
        Audience.EVERYBODY,
        True,
    ),
    (
        "Jonas Brandt",
        "Order a laptop for a new colleague",
        """\
Tell us at least **ten working days** before the first day.

| we need | example |
|---|---|
| name and department | Mara Lind, Accounts |
| first day | 1 December |
| who decides what they may open | head of department |

Open a case of the type **Change request**, one for each person.
""",
        Audience.CUSTOMERS,
        True,
    ),
    (
        "Ines Okafor",
        "Share a mailbox with colleagues",
        """\
A shared mailbox has no password of its own. Tell us its address, and who reads and who also sends in its name.

Changes take up to an hour; restart the mail program afterwards.
""",
        Audience.CUSTOMERS,
        True,
    ),
    (
        "Max Herrmann",
        "What to ask before a server is restarted",
        """\
1. Who works on it now, and until when?
2. Is a backup running?
3. Who tells the customer, before and afterwards?

Write the answers as a note on the case.
""",
        Audience.AGENTS,
        True,
    ),
    (
        "Lena Vogt",
        "Print from a tablet",
        """\
Still to be tried with the printers of the third floor.
""",
        Audience.EVERYBODY,
        False,
    ),
)
"""The author, title, text and audience of each article, and whether it is published."""


async def write(agents: Mapping[str, AgentReader], picture: bytes, now: datetime) -> None:
    """Store the help articles in the names of their authors, and publish all but the draft.

    `agents` are the authors by name. `picture` is the PNG file that the first article shows.
    """
    drawing = await pictures.draw(picture)
    for place, (author, title, text, audience, is_published) in enumerate(ARTICLES):
        at = now - APART * (len(ARTICLES) - place)
        facts = HelpFacts(title=title, text=text, audience=audience.value)
        article = await Article.write(facts, by=agents[author], at=at)
        if place == 0:
            await pictures.add(article, PICTURE, drawing, at)
        if is_published:
            await article.publish(at)
