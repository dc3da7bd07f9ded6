"""Store drafts, issue them as invoices, and read invoices and statements with their lines, time detail and files."""
