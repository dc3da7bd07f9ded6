"""The people who use the portal: customers with their contacts, agents with their departments, and how all sign in."""
