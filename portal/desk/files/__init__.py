"""Files of cases: which are taken, where they wait before a message takes them, and how they are read."""
