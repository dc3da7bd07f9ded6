"""Decide on time entries as a manager: list what waits, approve, reject, flag, withdraw, change, and undo decisions."""
