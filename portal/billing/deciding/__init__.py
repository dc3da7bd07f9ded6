"""Prepare and undo decisions on waiting time: list it, say what looks unusual about it, and take decisions back."""
