"""How people get in: credentials and passwords, limits on attempts, sessions, and links for invitations and resets."""
