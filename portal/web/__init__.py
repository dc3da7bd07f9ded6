"""The HTTP layer that both areas share: visits, sessions, forms, pages, errors, live updates and response headers."""
