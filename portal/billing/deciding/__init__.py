"""Prepare and undo managers' decisions on time entries: list the entries, warn about unusual ones, and undo decisions."""
