"""The people who use the portal: the contacts of customers, the agents of departments, and how both sign in."""
