"""Decide on waiting time: find it, say what looks odd about it, and take decisions back."""
