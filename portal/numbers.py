"""Read whole numbers in URLs and hidden fields, whose content is not trusted."""


def number_in(text: object, *, digits: int = 18) -> int | None:
    """Return the number written in ASCII digits in `text`; None if it is anything else or longer than `digits`.

    With 18 digits, the number fits a `bigint`; with 9, an `integer`. PostgreSQL would refuse a larger number with an
    error.
    """
    typed = str(text)
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= digits else None
