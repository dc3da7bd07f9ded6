"""Provide the HTTP parts that both areas share: visits, sessions, forms, pages, errors, live updates and headers."""
