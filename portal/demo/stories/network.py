"""Invented support cases about networks: internet lines, wireless networks, VPN, telephones."""

STORIES = """
# VPN drops every {n} minutes for {person} | incident high
c: Since the update on {day} the VPN of {person} disconnects after about {n} minutes. Signing in again helps, but copies to {server} stop half way.
f: vpn-error.png
f: vpn-client.log
a: Thank you, the log helps. The client gives up when our gateway renews its keys. I have raised the limit for this account.
   Could you connect once more and tell me whether it now stays up for an hour?
w 40: Key renewal on the gateway corrected
n: Same pattern as the two others this month. If it comes back we need the newer client everywhere.
c: It stayed up all morning. Before that it was never longer than {n} minutes.
a: Good. I leave the higher limit in place and look at the gateway's log again on {day}.
w 25: Gateway log checked after a day of use

# Slow wireless in {room} | incident normal
c: In {room} the wireless network is slow, pages take ten seconds to open. Two metres further, in the corridor, it is fine.
a: That sounds like two access points on the same channel. I have moved the nearer one. Does it feel better now?
w 35: Access point moved to another channel, signal measured
c: Better, but with more than five people it still gets slow.
a: Then it is the old access point itself. We put in a newer one on {day} at 07:30, before you open; that takes a quarter of an hour.
n: We have a spare in the store, second shelf. Take a longer cable.
w 75: Access point replaced and configured, coverage checked
c: Twelve people with laptops this morning and no complaints.

# No internet at {site} | incident urgent
c: {site} has no internet since {time}. Telephones are dead as well, nobody can work there.
a: We see the line down from here too. The provider confirms a fault in the street and names {time} as the time when it should be back.
   I have switched the site to the mobile line in the meantime: mail and telephones work, large files will be slow.
w 55: Fault reported to the provider, site switched to the mobile line
n: Provider's reference is in the outage list. They said the same last time and it took until the evening.
c: Understood, the telephones are back. Who switches us over again?
a: That happens by itself once the line has been steady for half an hour. I watch it.
w 30: Line watched after the repair, switched back
c: All normal here. Thank you.

# Open port {port} for {app} | change normal
c: The supplier of {app} asks us to open port {port} from the internet so that they can see errors. Can you do that today?
a: I would rather not open it to everybody. If the supplier names the addresses they come from, I open it for those only.
c: They name two addresses, I have put them into the attached text.
f: addresses.txt
a: Done, for these two addresses and until the end of next month. I have put a reminder for us to close it.
w 20: Port opened for two addresses, limited in time
n: Close it at the end of next month unless they ask.

# Phones lose registration at {time} | incident high
c: Every day around {time} half of the desk phones say “not registered” for a few minutes. Callers hear the busy tone.
a: I look at it tomorrow at that very time with a recording of the traffic. If you can, note down which telephones are concerned.
w 30: Registration log of the telephone system read
c: It was again the row at the windows: six telephones, all in {room}.
a: These six hang on one small switch that restarts itself when the heating of the workshop comes on. I have put it on another circuit.
w 80: Small switch traced and moved to another circuit
n: The switch is nine years old. Offer a new one with the next visit.
c: No interruption for two days now.

# Guest network shows the wrong start page | question low
c: Visitors see our old logo on the start page of the guest network. Where do we change that?
a: Send me the new logo as a PNG and one sentence that visitors shall read, and I change it for all sites.
c: Here is the logo. The sentence stays as it is.
f: logo.png
a: Changed. It can take a day until every telephone has forgotten the old page.
w 15: Start page of the guest network changed

# Site-to-site tunnel to {site} is down | incident urgent
c: Since the power cut {site} cannot reach {server}. Mail works, everything on the file server does not.
a: The firewall at {site} came back with a wrong clock and refuses the certificate of the other side. I have set the clock and the tunnel is up.
w 45: Tunnel rebuilt after the power cut, clock corrected
c: Confirmed, files open again. Why was the clock wrong?
a: Its battery is empty, so each power cut sets it back. We change the battery on {day}; it takes ten minutes and nobody notices.
w 50: Battery of the firewall changed at the site

# Route between Hamburg and {site} | question low
c: Our scanner software at {site} shall reach the archive in Hamburg directly. Is there a route for that, or does it go over the internet?
a: There is one, over the tunnel. I have tested it from both ends and written the addresses into your network plan.
w 30: Route between the sites checked, plan updated

# VLAN for the cameras in {room} | change normal
c: We get {n} cameras in {room}. The installer asks for a network of their own that cannot see our computers.
a: We make a VLAN for them that reaches only the recorder. I need the date of the installation and the number of sockets.
c: {n} sockets, and they come on {day}.
a: The sockets are ready and labelled C1 to C{n}. The installer only has to plug in.
w 90: VLAN for cameras set up, sockets labelled
w 25: Cameras found in their network, recorder reachable
n: Recorder runs an old firmware. Keep it away from everything else.

# Packet loss to {app}, only in the morning | incident high
c: Between eight and nine {app} hangs for seconds, later it is fine. Three of us see it.
f: ping.log
a: I have a packet capture running on both lines from 07:45 on. Tell me if it is bad at a certain minute, then I find it faster.
w 45: Packet capture set up on both lines
c: Today at {time}, for two minutes.
a: At {time} the backup to the cloud still runs and takes the whole upload. I have moved it to 02:00 and limited it to half of the line.
w 60: Captures compared, backup moved and limited
c: Quiet mornings since. Thank you.

# Firewall firmware before the audit | change high
c: The auditor wants to see that the firewall has no known holes. Which version do we have, and is it the newest?
a: You have {version}, the newest is two steps further. We update on {day} at 19:00; the line is away for about ten minutes.
   Is that possible for you?
c: Fine with us. I tell the late shift.
n: Read the release notes again: the second step changes the names of VPN groups.
a: Updated, all tunnels and the VPN are tested. The sheet for the auditor is in your document folder.
w 120: Firmware updated in two steps, tunnels and VPN tested
w 30: Proof for the auditor written

# Move the DNS of the web shop to the new provider | change normal
c: Our agency moves the web shop on {day}. They need three DNS records changed at a minute that they will tell us.
a: I have lowered the life time of the records so that the change is seen within five minutes. Call us when it is time.
w 25: DNS records prepared, life time lowered
c: They are ready now, at {time}.
a: Changed and seen from four places. The old shop stays reachable under its number for a week, in case something was forgotten.
w 30: DNS records changed and checked from outside
"""
