"""What both areas share of HTTP: visits, sessions, forms, pages, errors, live updates, headers."""
