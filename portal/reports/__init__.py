"""Reports on the work: who worked for whom, what the work cost and what it earned. They are pages and files."""
