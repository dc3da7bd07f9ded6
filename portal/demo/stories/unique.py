"""Stories that happen only once in the demo, to three contacts who can sign in: Ada and Alan of Acme, Gil of Globex."""

from dataclasses import dataclass
from typing import Literal

Ending = Literal["new", "open", "waiting_for_customer", "waiting_for_others", "resolved", "closed"]
"""The status that a case has reached when the demo has been filled."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The facts of a demo case that the text of its story in `STORIES` does not tell.

    They are the `contact` who opens the case, the `agent` to whom it is assigned (None for nobody), and the status
    `ending`. The case was opened `days_ago` working days ago or `minutes_ago` minutes ago; one of the two is set.
    """

    contact: str
    agent: str | None
    ending: Ending
    days_ago: int = 0
    minutes_ago: int = 0


ASSIGNMENTS = (
    Assignment("Ada Lindqvist", "Ines Okafor", "open", days_ago=4),
    Assignment("Ada Lindqvist", "Jonas Brandt", "waiting_for_customer", days_ago=3),
    Assignment("Ada Lindqvist", "Ines Okafor", "waiting_for_others", days_ago=9),
    Assignment("Ada Lindqvist", "Ines Okafor", "open", days_ago=2),
    Assignment("Alan Weber", "Lena Vogt", "waiting_for_customer", days_ago=3),
    Assignment("Alan Weber", "Jonas Brandt", "resolved", days_ago=5),
    Assignment("Ada Lindqvist", "Jonas Brandt", "resolved", days_ago=5),
    Assignment("Gil Moreau", "Ines Okafor", "open", days_ago=8),
    Assignment("Gil Moreau", "Lena Vogt", "waiting_for_others", days_ago=7),
    Assignment("Gil Moreau", None, "new", minutes_ago=14),
    Assignment("Alan Weber", None, "new", minutes_ago=52),
)
"""The contact and agent of each story in `STORIES`, in the same order."""

STORIES = """
# VPN drops every 20 minutes since the Windows update | incident high
c: Since the update of last week the VPN disconnects after about 20 minutes. I have to sign in again each time, and copies to the file server
   stop half way. Alan has the same on his laptop.
f: vpn-error.png
f: vpn-client.log
a: Thank you, Ada, the log helps a lot. The client gives up when our gateway renews its keys, every 20 minutes exactly.
   I have raised the limit for you and Alan. Please connect once more and tell me whether it now stays up for an hour.
w 40: Key renewal on the gateway corrected for two users
c: It now stays up longer, but it still drops once or twice in the morning, always in the meeting room.
a: That sounds like the wireless network there, not the VPN. Does it also drop when the laptop is on a cable?
n: Same access point as in summer. Its firmware drops clients when two channels overlap. Move it to channel 48 first; if that fails we have
   a spare in the Hamburg store.
w 35: Access point on the second floor examined
c: On the cable it ran all morning without a drop. So it is the wireless network. We have an audit on Monday in exactly that room.

# New starter on the 1st: laptop and accounts | change normal
c: Rieke Thoms starts with us on the 1st, in purchasing. She needs a laptop, mail, the ERP and a telephone number.
a: Please choose one of the two laptops in the offer, then we order today. Everything else is prepared two days before she comes.
f: offer.txt
w 30: Two laptops compared, offer written

# Firewall firmware before the audit | change high
c: The auditor asks whether our firewall is up to date. Is it, and can we have that in writing?
a: It is one step behind. The manufacturer has withdrawn the newest version because of a fault with tunnels and promises the next one for this week.
w 45: Firmware call with the manufacturer
n: Do not install 7.4.2, whatever the console offers. 7.4.3 is the one.
a: We wait for the manufacturer. As soon as the version is there we install it in the evening, and you get the sheet
   for the auditor the morning after.
w 20: Sheet for the auditor prepared

# Backup job failed twice on FS-02 | incident high
c: Two mails in a row say that the backup of FS-02 failed. Is anything lost?
f: backup.log
a: Nothing is lost: the backup of the day before is whole, I have opened files from it. The job stops at one folder that is locked by the scanner.
   I let it run again tonight without that folder and look into the scanner tomorrow.
w 45: Backup log read, restore of files tried
w 30: Backup repeated without the locked folder

# Shared mailbox “orders” asks for a password | incident normal
c: The shared mailbox “orders” asks me for a password since this morning. My colleague at the next desk gets in.
a: Your right to it was tied to a group that no longer exists. I have given it to you directly. Could you close the mail program, open it again
   and tell me whether the question is gone?
w 25: Rights of the shared mailbox corrected

# Printer queue stuck on the third floor | incident low
c: The printer on the third floor takes jobs and prints nothing.
f: printer.png
a: One damaged page blocked it. It is out, the others have printed.
w 20: Printer queue cleared
c: It prints again, thank you.

# Second monitor for the front desk | question low
c: Can the computer at the front desk drive a second monitor?
a: It can. I bring one with the adapter when I am with you tomorrow.
w 30: Monitor delivered and connected
c: Connected and in use.

# Replace the core switch, window on Saturday | change normal
c: The core switch is from the old landlord and its fan gets louder every week. Can you replace it on a Saturday, when nobody works?
a: Yes. We prepare the new one here, and on the Saturday the network is away from 09:00 to about 11:00. I need somebody with a key.
w 135: Core switch: configuration prepared and reviewed
c: I have the key. Which Saturday?
a: The next but one, so that the second cable to the store room is there as well. I send you the order of steps beforehand.
w 100: Inventory of cables and ports
n: Take the long console cable. The rack in Dublin has no light.
c: Good. Please put the telephones first, the reception is staffed on Saturdays too.

# Move the DNS to the new provider | change normal
c: Our old DNS provider closes at the end of the month. Where do we go?
a: I have compared three and suggest the one that you already use for mail. The move takes an evening; nothing is away in between.
w 60: Three providers compared, suggestion written
c: Agreed.
a: The transfer is requested. We wait for the old provider, who has to release the name and usually takes five working days.
w 75: DNS records exported and compared, transfer requested

# Nobody can reach the ERP from the branch | incident urgent
c: Nobody in the branch can open the ERP since a quarter of an hour. The web works, mail works. Goods are waiting to be booked.
f: erp-timeout.png

# Laptop does not wake up after the weekend | incident normal
c: My laptop stays dark when I open it. Holding the button for ten seconds helps, but then my windows are gone. It began last week.
"""
