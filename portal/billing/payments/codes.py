"""Make SEPA payment codes (EPC069-12), which banking apps scan to fill in a transfer."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from segno import QRCode
from segno.helpers import make_epc_qr

LEAST, MOST = Decimal("0.01"), Decimal("999999999.99")
"""The smallest and the largest amount that a payment code may have."""
LONGEST_NAME, MOST_BYTES = 70, 200
"""The maximum numbers of characters and of bytes of the payee's name in a payment code."""
UTF_8 = 1
"""The number of the character set UTF-8 in a payment code."""


def payment_code(parties: Mapping[str, Any], number: str, amount: Decimal, currency: str) -> QRCode | None:
    """Return the payment code for a transfer of `amount` for the invoice `number` to the seller's bank account.

    `parties` is what was copied when the invoice was issued (`Invoice.copied`). Return None if the currency is not the
    euro, if the seller has no IBAN, or if `amount` is not from `LEAST` to `MOST`.
    """
    bank = parties["bank"]
    if currency != "EUR" or not bank["iban"] or not LEAST <= amount <= MOST:
        return None
    name = parties["seller"]["legal_name"][:LONGEST_NAME].encode()[:MOST_BYTES].decode(errors="ignore")
    return make_epc_qr(
        name=name, iban=bank["iban"], bic=bank["bic"] or None, amount=amount, text=number, encoding=UTF_8
    )
