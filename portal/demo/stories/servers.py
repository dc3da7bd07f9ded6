"""Invented support cases about servers: backups, storage, certificates, updates, databases."""

STORIES = """
# Backup job failed twice on {server} | incident high
c: We got two mails in a row that the backup of {server} failed. Do we have to worry?
f: backup.log
a: Nothing is lost: the backup of {day} is whole and I have opened a file from it. The job stumbles over one folder
   whose name is too long, “inbox of all scans of the second floor”. What is it for?
w 35: Backup log read, restore of a file tried
c: That is the folder of the scanner. Can we shorten the name?
a: I have shortened it and told the scanner. Tonight's run will show it.
w 40: Folder renamed, scanner adjusted, backup repeated
n: Watch the run of tonight before closing.
c: No mail this morning.

# {server} is nearly full | incident normal
c: {server} warns that only {n} GB are left. Last month it was three times as much.
a: The growth comes from one place: old exports of {app}, one file each night that nobody deletes. May I remove those that are older than a year?
w 30: Growth of the file server traced
c: Keep the last two years, the rest can go.
a: Removed. There is room for about two years at today's pace, and a job now keeps it that way.
w 25: Old exports removed, clean-up job set up

# Certificate of the mail gateway expires in {n} days | incident normal
c: A partner tells us that our mail certificate ends soon. Is somebody looking after that?
a: Yes. The new certificate is ordered and will be in place on {day}. You do not have to do anything.
w 20: New certificate requested
w 25: Certificate installed, mail tested in both directions
c: The partner sees the new date now.

# Updates on {server} on {day} evening | change normal
c: Can the updates on {server} be done on {day} after 19:00? We close the month the day after.
a: We begin at 19:15 and are done by 21:00. {app} is away in between, the rest stays up.
n: Snapshot first. Last time the print service did not come back by itself.
w 110: Updates installed on the server, services checked
a: Done at 20:40, and everything came back. I have signed in to {app} and printed a page.
c: All fine this morning.

# {app} reports a database error | incident urgent
c: {app} shows “connection to database lost” to everybody since {time}. We cannot ship anything.
f: error.png
a: The database on SQL-01 had run out of room for its log. It runs again since a minute ago. Could you try?
w 40: Database log shortened, service started again
c: Works. How do we know that it does not happen tomorrow?
a: The log was not backed up since the change of {day}, so it grew. I have repaired that job and set an alarm at 80 per cent.
w 45: Log backup repaired, alarm set
n: The change of {day} was ours. Nothing to charge for the second part, talk to Max.

# Our change to the log backup stopped {app} | mistake high
c: As agreed on the telephone, please look into why the log backup was switched off by your change.
a: It was our mistake: the new job replaced the old one but had no right to write to the folder. We do not charge this time.
w 50: Cause of the stopped log backup found and removed
c: Thank you for saying so.

# Restore one folder from last {day} | question high
c: {person} has deleted the folder “Offers” on {server} by mistake, probably around {time}. Can we have it back?
a: The folder as it was at noon lies beside the place as “Offers (restored)”. Compare before you delete one of them.
w 30: Folder restored from the backup
c: Everything is there. I have moved it back.

# Monitoring: {server} restarts at night | incident normal
c: Your weekly report says that {server} restarted three times. We did not do that.
a: It was the hypervisor, not the server: a memory module reports errors. I have moved the machine to the other host for now.
w 50: Restarts traced, machine moved to another host
n: Module is under warranty until spring. Serial number is in the inventory.
a: The manufacturer sends a new module. We change it on {day} in the evening, without an interruption for you.
w 65: Memory module replaced, tested overnight
c: The report is quiet again.

# Alarm: temperature in the server room | incident urgent
c: The sensor in the server room says {n} degrees above normal. The air conditioning makes a noise.
a: I have shut down two machines that you do not need at night and called the cooling company: they come at {time}. Leave the door open until then.
w 35: Load in the server room reduced, cooling company called
c: They have changed the fan. Temperature goes down.
a: Both machines are up again and the room has been normal for an hour.
w 40: Temperature watched, machines started again

# Licence count of the remote desktop server | question low
c: How many licences do we have for the remote desktop, and how many are in use at most? Somebody from finance asks.
a: You have {n} more than you used at most in the last three months. I have put the figures into your document folder.
w 25: Licences counted

# Move {app} to a server of its own | change normal
c: {app} shares {server} with three other programs and gets slower every month. What would a server of its own cost us in effort?
a: About a day of work and an evening without {app}. I suggest {day} in two weeks; the supplier has to be reachable then.
   Is that all right for you?
w 60: Move planned with the supplier
c: Agreed. The supplier knows.
a: The new server is ready and filled with a copy. Try it under the test icon on your desktop and tell me what is missing.
w 150: New server set up, trial move made
c: Two templates are missing, the rest is there and much faster.
a: Templates copied. On {day} at 18:00 we switch over.
w 135: Program moved, templates copied, old server switched off
n: Keep the old machine for four weeks, then delete it.

# Test the restore of {server} | change low
c: Our insurer wants a proof that a whole server can be restored. When did we last try that?
a: In spring. I do it again on {day} in a closed network and send you the protocol with times.
w 140: Whole server restored in a closed network, protocol written
c: The insurer is content with it.

# Nightly export of {app} comes too late | incident normal
c: The export of {app} should be there at six and comes at half past eight since {day}. Our drivers wait for it.
f: export.log
a: It waits for a virus scan of the whole disk, which was moved to the morning by an update. I have moved the scan to Sunday.
w 35: Export delay traced to a scan, schedule changed
c: At 05:50 today.
"""
