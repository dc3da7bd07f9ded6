"""When agents work, when they are away, and what an hour of an agent costs the company."""
