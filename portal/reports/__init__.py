"""Reports: what was worked, by whom and for whom, what it cost and what it earned; and their files."""
