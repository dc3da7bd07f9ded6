"""Read whole numbers that stand in URLs and hidden fields, where anybody can write anything."""


def number_in(text: object, *, digits: int = 18) -> int | None:
    """Return the number that `text` writes in ASCII digits, None where it is anything else or longer than `digits`.

    With 18 digits, the number fits a `bigint`; with 9, an `integer`. PostgreSQL would refuse a larger one with an error.
    """
    typed = str(text)
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= digits else None
