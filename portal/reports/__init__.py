"""Reports: what was worked, by whom, for whom and at what cost; each can be exported as a `Sheet`."""
