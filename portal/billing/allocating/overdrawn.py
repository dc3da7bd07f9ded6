"""Find periods whose included minutes are fewer than settled time has drawn from them, such as after a change of terms."""

from datetime import date

from portal.billing.allocating.book import Book
from portal.billing.engine.settlements import IncludedMinutes


def overdrawn(of: Book) -> list[tuple[str, date]]:
    """Return the periods from which more was drawn than they include, as sorted tuples.

    A tuple has the name of the service and the first day of the period. The book must have been loaded with
    `earliest=date.min` (`book.load`), so that it holds all that was ever drawn.
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
