"""When agents work, when they are away, and what an hour of theirs costs us."""
