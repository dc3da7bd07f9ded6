"""What agents reply with: canned replies, and replies that can be taken back before they go out."""
