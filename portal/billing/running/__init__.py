"""Run billing up to a date: preview it, make drafts and statements, and list what earlier runs made and skipped."""
