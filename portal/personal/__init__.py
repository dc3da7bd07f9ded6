"""What is held about a person: export it, and erase it for a contact (D58). It reads the tables of all packages below."""
