"""Find periods from which settled time has drawn more included minutes than the period has.

A change of a customer's contracts or services can make such periods; the change is then refused.
"""

from datetime import date

from portal.billing.allocating.book import Book
from portal.billing.engine.settlements import IncludedMinutes


def overdrawn(of: Book) -> list[tuple[str, date]]:
    """Return the periods from which more minutes were drawn than the period includes, as sorted tuples.

    A tuple has the name of the service and the first day of the period. The book must have been loaded with
    `earliest=date.min` (`book.load`), so that it has all minutes that were ever drawn.
    """
    places = of.state.places()
    included = IncludedMinutes(places, of.state.drawn, of.state.rolled)
    found = []
    periods = [(start, service) for service, start in of.state.drawn if start is not None and service in places]
    for start, service in sorted(periods):
        minutes = of.state.drawn[service, start]
        pools = included.of(service, start)
        if minutes > (pools[-1].minutes if pools else 0):
            found.append((places[service][1].name, start))
    return sorted(found)
