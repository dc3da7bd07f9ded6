"""The files of cases: which files are accepted, how unsent forms keep them, and how they are attached to messages."""
