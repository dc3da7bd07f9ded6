"""Make the lines and the time detail of a credit note from what is credited of an invoice."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import count

from portal.billing.allocating.book import Row
from portal.billing.credits.creditable import Creditable
from portal.billing.documents.detail import DetailRow
from portal.money import total


def lines_of(
    of: Creditable, time: Sequence[tuple[DetailRow, int, Decimal]], nets: Mapping[int, Decimal]
) -> tuple[list[dict[str, object]], list[DetailRow]]:
    """Return the lines of a credit note, in the order of the invoice's lines, and the rows of the time detail.

    `time` has the credited rows of the invoice's time detail, each with the minutes and the amount to credit. `nets`
    has the amounts to credit of lines that are not for time, by position. As on the invoice, a line shows the charged
    minutes, or all minutes if none were charged. Time that is on no line of the invoice, because it cost nothing, comes
    last, in a line of 0.00 for each service.
    """
    behind: dict[int | str, list[tuple[DetailRow, int, Decimal]]] = defaultdict(list)
    for piece in time:
        behind[piece[0].service_name if piece[0].line is None else piece[0].line].append(piece)
    positions, lines, rows = count(1), list[dict[str, object]](), list[DetailRow]()

    def add(
        source: Row, line_position: int | None, pieces: Sequence[tuple[DetailRow, int, Decimal]], **columns: object
    ) -> None:
        position = next(positions)
        same = ("kind", "service_name", "label", "currency", "vat_category", "vat_rate", "exemption_reason")
        lines.append(
            {name: source[name] for name in same} | {"position": position, "line_position": line_position} | columns
        )
        rows.extend(row._replace(line=position, minutes=minutes, amount=amount) for row, minutes, amount in pieces)

    for line in of.lines:
        here = behind.get(line["position"], [])
        if line["position"] in nets:
            net = nets[line["position"]]
            add(line, line["position"], [(_other(line), 0, net)], minutes=None, unit_price=net, net=net)
        elif here:
            net = total((amount for _, _, amount in here), of.invoice.digits)
            charged = [piece for piece in here if piece[0].is_charged] or here  # as on the line of the invoice
            minutes = sum(minutes for _, minutes, _ in charged)
            add(line, line["position"], here, minutes=minutes, unit_price=_price(charged), net=net)
    for service_name, here in behind.items():
        if isinstance(service_name, str):
            source = next((line for line in of.lines if line["service_name"] == service_name), of.lines[0])
            minutes = sum(minutes for _, minutes, _ in here)
            add(
                dict(source) | {"kind": "time", "service_name": service_name, "label": "time that cost nothing"}, None, here,
                minutes=minutes, unit_price=None, net=Decimal(0),
            )  # fmt: skip
    return lines, [
        row._replace(position=position, minutes=None if row.entry_id is None else row.minutes)
        for position, row in enumerate(rows, 1)
    ]


def _other(line: Row) -> DetailRow:
    """Return a row of the time detail for an invoice line that is not for time, such as a fee."""
    return DetailRow(
        position=0, entry_id=None, line=line["position"], work_date=None, case_number=None, service_name=line["service_name"],
        performed_by="", external_comment=line["label"], covered_by="charged", minutes=None, hourly_rate=None,
        currency=line["currency"], amount=line["net"],
    )  # fmt: skip


def _price(pieces: Sequence[tuple[DetailRow, int, Decimal]]) -> Decimal | None:
    """Return the hourly rate that all the pieces have, or None if they have no rate or different rates."""
    rates = {row.hourly_rate for row, _, _ in pieces}
    return rates.pop() if len(rates) == 1 else None
