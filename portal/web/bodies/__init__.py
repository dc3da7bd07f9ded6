"""Read the body of a request while it arrives: its limits, its form fields and files, and its CSRF token."""
