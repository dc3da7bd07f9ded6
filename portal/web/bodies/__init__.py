"""Read the body of a request while it arrives: enforce limits, check the CSRF token, and read form fields and files."""
