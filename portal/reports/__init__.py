"""Reports: what was worked, by whom, for whom and at what cost; each can become a `Sheet` for a file."""
