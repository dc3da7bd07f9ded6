"""Compute how much of a sold voucher can still be credited.

A voucher is a stock of prepaid hours. The customer can get back the share of its price for the minutes that no time
entry has drawn.
"""

from dataclasses import dataclass
from decimal import Decimal

from portal.billing.documents.invoices import Invoice
from portal.database import current
from portal.money import EXACT, divide_half_up


@dataclass(frozen=True, slots=True)
class SoldVoucher:
    """A voucher (prepaid hours) that a line of an invoice sells.

    `drawn` are the minutes that time entries have drawn or reserved, and `credited_minutes` the minutes of earlier
    credits. `price` is the net amount of the line, and `credited` the net amount of the earlier credits.
    """

    minutes: int
    drawn: int
    credited_minutes: int
    price: Decimal
    credited: Decimal
    digits: int

    @property
    def left(self) -> int:
        """Return the minutes that can still be credited, without the drawn, reserved and already credited minutes."""
        return self.minutes - self.drawn - self.credited_minutes

    def amount(self, minutes: int) -> Decimal:
        """Return the net amount to credit for `minutes`, which must not be more than `left`.

        For a voucher of 0 minutes, return all that is left of its price. Otherwise, compute the rounded share of the
        price for `minutes` plus the minutes credited before, and subtract the amount credited before. In this way,
        rounding errors do not add up: several credits give back as much as one credit for the sum of their minutes.
        """
        if not self.minutes:
            return self.price - self.credited
        share = EXACT.multiply(self.price, self.credited_minutes + minutes)
        return max(divide_half_up(share, self.minutes, self.digits) - self.credited, Decimal(0))


_SOLD = """
select l.position, l.net, v.minutes, v.credited_minutes,
  coalesce((select sum(a.minutes) from allocation a where a.voucher_id = v.id), 0)::int as drawn,
  coalesce((select sum(c.net) from credit_line c where c.invoice_id = l.invoice_id and c.line_position = l.position), 0) as credited
from invoice_line l join voucher v on v.id = l.voucher_id where l.invoice_id = $1
"""


async def sold_vouchers(invoice: Invoice) -> dict[int, SoldVoucher]:
    """Return the vouchers that an invoice sells, by the position of the invoice line that sells each."""
    return {
        row["position"]: SoldVoucher(
            row["minutes"], row["drawn"], row["credited_minutes"], row["net"], row["credited"], invoice.digits
        )
        for row in await current().fetch(_SOLD, invoice.id)
    }
