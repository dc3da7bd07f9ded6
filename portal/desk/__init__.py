"""The desk: cases, their dialogue, files, events and what may happen to them."""
