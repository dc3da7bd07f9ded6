"""Invented support cases about workplaces: computers, printers, desktop programs, equipment."""

STORIES = """
# Printer queue stuck in {room} | incident low
c: The printer in {room} takes jobs but prints nothing. Switching it off and on did not help.
a: One page with a broken font blocked the queue. I have removed it, the others have printed by now.
   Does a new page come out?
w 15: Printer queue cleared
c: It stands still again, same thing.
a: Then it is the driver. I have put the newer one on the print server; nobody has to do anything.
w 30: Printer driver replaced on the print server
c: Runs since yesterday.

# New starter on {date}: laptop and accounts | change normal
c: {person} starts with us on {date}, in accounts. We need a laptop, mail, {app} and a telephone number.
a: Please choose one of the two laptops on our list, then we order today. The accounts are ready two days before.
w 20: Offer for a laptop written
c: The lighter one, with the docking station.
a: Ordered. I bring it on the morning of the first day and set it up together with {person}.
n: Telephone number: take one of the free ones at the end of the block.
w 70: Laptop prepared, accounts created
w 60: Workplace set up on the first day
c: Everything worked from the first minute.

# {person} leaves on {date} | change normal
c: {person} leaves us on {date}. Please close the accounts in the evening; mails shall go to me for three months.
a: Prepared: at 18:00 on {date} the accounts are closed and mails are forwarded until the end of the third month.
w 30: Accounts closed, mail forwarded, rights removed
c: Thank you. The laptop is in my office.
a: We fetch it with the next visit and delete it.
w 25: Laptop fetched and deleted

# Second monitor for {room} | question low
c: Can the computer in {room} drive a second monitor, and which one fits?
a: It can, with an adapter. We have a monitor of the same kind in the store and bring both on {day}.
w 30: Monitor delivered and connected

# Scanner in {room} sends empty pages | incident normal
c: The scanner in {room} sends mails with empty pages. The glass is clean, we have looked.
f: scan.png
a: It scans the wrong side since the profile was reset. Press “Profile 2” today; I correct the default from here.
w 20: Scan profile corrected
c: Works, both sides.

# {app} does not start after the update | incident high
c: After the update this morning {app} closes at once for {person}. For the others it is fine.
f: error.png
f: start.log
a: A damaged settings file from before the update. I have set it aside; {person} has to choose the colours again, nothing else is lost.
w 25: Settings of the program repaired
c: Works. The colours were ugly anyway.

# Shared mailbox “{box}” asks for a password | incident normal
c: The shared mailbox “{box}” asks three of us for a password that does not exist.
a: The rights were set for persons who have left, and their groups were removed with them. I have set them for the group “{box}” instead.
w 25: Rights of the shared mailbox corrected
c: It is quiet now.

# Laptop of {person} is slow since {day} | incident normal
c: {person}'s laptop needs ten minutes until one can work. It was quick until {day}.
a: The disk is at its end: it repairs itself all the time. I have saved everything and order a new one. Until then
   there is a loan laptop at your front desk.
w 55: Disk checked, data saved, loan laptop prepared
n: Third one of this series. Ask the manufacturer before we order.
c: Loan laptop works. When will the new disk be here?
a: It came today. The laptop is back on {day} in the morning with everything as it was.
w 70: Disk replaced, system copied back, loan laptop returned
c: Like new.

# How do we sign PDF files? | question low
c: A customer wants signed PDF files. Do we have a program for that, or do we need one?
a: You have it already: in the print dialogue choose “PDF, signed”. I have written half a page with pictures for your colleagues.
w 30: Short guide on signed PDF files written
c: Got it. The half page is on our board.

# Label printer prints one line too low | incident normal
c: All labels from {room} are one line too low since this morning. We throw away every second one.
f: label.png
a: The sensor had lost the size of the roll. I have had your colleague measure it again over the telephone; the last ten labels fit.
   Do they still?
w 20: Label printer calibrated by telephone
c: Yes, they fit.

# Tablet for goods in does not charge | incident low
c: The tablet in {room} does not charge any more, the cable is new.
a: Then it is the socket. I bring a spare one on {day}; please write its name down so that I can prepare it.
c: Its name is T-{n}.
a: Exchanged. The old one goes to repair, which takes about two weeks.
w 40: Spare tablet prepared and exchanged

# Headsets for {n} people | change low
c: We need {n} headsets, with cable, that work with the desk phones and the computers.
a: I have sent you two kinds to try. Tell me which one and we order {n} of them.
w 15: Headsets chosen and sent for a trial
c: The lighter ones.
a: Delivered today, with a page on how to switch between telephone and computer.
w 35: Headsets delivered and tried

# Calendar of {hall} shows double bookings | incident normal
c: {hall} was booked twice for {day} at {time}, and both invitations say accepted.
a: The room accepts everything since its settings were renewed. I have set it to refuse what overlaps and listed what
   is double in the next four weeks.
w 30: Room calendar set to refuse overlaps, list written
c: Five meetings, we have moved them.

# Windows update took the wrong display size | mistake low
c: Since your visit everything on the screen of {person} is twice as large.
a: That was us: a setting for the training computers reached all of them. It is taken back, sign out and in once.
w 20: Display setting taken back
c: Normal size again.
"""
