"""The personal data of one person: export them, and erase those of a contact (D58).

It reads the tables of all packages below.
"""
