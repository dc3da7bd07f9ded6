"""Invented support cases about accounts, mail and programs: passwords, permissions, mailing lists, licences."""

STORIES = """
# {person} cannot sign in | incident high
c: {person} cannot sign in since this morning: “account locked”. The password was not changed.
a: An old telephone in a drawer still tries the password of last year. I have unlocked the account.
   Do you know where that telephone is? It has to be switched off.
w 15: Account unlocked, source of wrong passwords found
c: It was in the car. Switched off.

# Access to the folder “{folder}” for {person} | change normal
c: {person} needs to read and write in the folder “{folder}”. I am responsible for it.
a: Done, from the next sign-in on. These people can write there now: the group {folder} and {person}.
w 15: Rights on a folder given

# Mails to a customer come back | incident high
c: Mails to one customer come back with “rejected by policy” since {day}. To others they go through.
f: bounce.txt
a: Their server no longer takes mails without a signature from our new newsletter tool. I have added the missing DNS
   record; it is seen within an hour.
w 45: Mail signature for the newsletter tool set up
c: The mail of {time} went through.
a: I have also checked the other two senders that you use. Both are signed.
w 20: Further senders checked

# Is this mail real? | question normal
c: {person} got the attached mail that asks for a new bank account of a supplier. It looks real. Is it?
f: mail.png
a: It is not. The address differs by one letter from your supplier's. Nobody should answer it; I have blocked the sender for all of you.
w 20: Suspicious mail examined, sender blocked
n: Second one this month with that pattern. Write a short warning to all contacts.
c: We have told everybody. Thank you for the quick look.

# Second factor for all of accounts | change high
c: Our insurer asks for a second factor for everybody in accounts, {n} people. How long does that take?
a: Half an hour for the preparation and five minutes each. Does {day} at 09:00 suit you,
   one after the other, at their desks?
w 35: Second factor prepared for a group
c: {day} is good. Two of them work from home.
a: All done, the two at home by telephone. Everybody has a sheet with spare codes, which belongs into a drawer with a key.
w 130: Second factor set up with each person
c: Surprisingly painless.

# How many days are deleted mails kept? | question low
c: For how long can a deleted mail be brought back, and can we make that longer?
a: Thirty days by everybody themselves, and one year by us from the archive. Longer is possible but the data protection officer should agree.
w 15: Question on deleted mails answered

# Out-of-office of {person} is still on | incident low
c: {person} has been back since {day} and still answers everybody with “I am away”.
a: It was set on the telephone and in the mail program. The second one is off now too.
w 10: Out-of-office switched off

# {app}: new role for the storekeepers | change normal
c: The storekeepers shall see prices in {app} but not change them. The supplier says you can set that.
a: I have made a role for it and put {person} in to try. Please have them open an order and see whether the price can be typed over.
w 40: Role in the program prepared
c: It cannot. But they also see the margin now.
a: Taken out. All storekeepers have the role since today.
w 30: Role corrected and given to all storekeepers

# Mailing list for {site} | change low
c: We need a mailing list that reaches everybody at {site}, and only we may write to it.
a: It exists since a minute ago, with {n} members. You and your deputy may write to it, others get a friendly refusal.
w 15: Mailing list made

# Archive finds nothing before {date} | incident normal
c: The document archive finds nothing that is older than {date}. The documents are there when I open the folder by hand.
f: archive.log
a: The index was started anew by an update and is not finished. It reads about a year per night; by {day} everything is found again.
w 35: Archive index examined
c: That is a long time. Can it be quicker? Accounts search every day.
a: I have given it two more processors and put accounts first. Their years are done by tomorrow morning.
w 25: Index given more processors, order changed
c: Accounts are happy.

# Training: first steps in {app} | question normal
c: {n} new colleagues need an introduction to {app}, two hours perhaps. Do you do that?
a: Gladly. I would come on {day} at 10:00 and bring a practice database so that nothing can break.
   Does that suit you?
w 30: Introduction prepared, practice database made
c: Good, we meet in {room}.
w 150: Introduction held for new colleagues
a: The sheets are in your document folder, and the practice database stays for a month.

# Old supplier still has access to {server} | change high
c: We have parted with the supplier of {app}. Please make sure that they cannot get in any more.
a: Their VPN and two accounts are closed. I found a third account that ran a nightly job; the job now runs under an account of its own.
w 60: Access of a supplier closed, nightly job moved
n: Check next week that the nightly job really runs.
c: Very good, thank you.

# {app} shows the prices of last year | incident high
c: Since {day} {app} shows the price list of last year to everybody in {room}. The office sees the right one.
f: prices.png
a: The computers in {room} still spoke to the old database that we keep for the auditors. I have pointed them to the right one.
w 35: Computers pointed to the right database
c: Prices are right. Do we have to look at the orders of this week?
a: I have listed the {n} orders that were entered there; they are in your document folder.
w 40: Orders with old prices listed

# Share calendars with the new partner | question low
c: A partner wants to see when we are free, without the subjects. Is that possible?
a: Yes, for named persons. I have switched it on for you and written down how your colleagues do it for themselves.
w 20: Calendar sharing explained and switched on

# Export of all invoices for the tax adviser | question normal
c: Our tax adviser asks for all outgoing invoices of the year out of {app} as one file. Where do we find that?
a: Under Reports, “Outgoing, by year”. It takes a few minutes. If the adviser wants another order of columns, send me their description.
w 20: Export explained
c: They want the attached order.
f: columns.txt
a: I have saved it as a report named “Tax adviser”. It is in the same list.
w 35: Report with other columns made
"""
