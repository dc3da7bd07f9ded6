"""The personal data of one person: export the data of anybody, and erase the data of a contact (D58).

This package reads the tables of all packages below it.
"""
