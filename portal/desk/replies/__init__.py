"""Canned replies, and replies of agents that can be withdrawn before they go out."""
