"""Find public holidays, by country and region."""

from datetime import date
from functools import lru_cache

import holidays as public
from holidays.registry import COUNTRIES

from portal.regions import countries


@lru_cache(maxsize=256)
def holidays_of(year: int, country: str, region: str = "") -> dict[date, str]:
    """Return the names of the public holidays of a year by date, for a region of a country or for the whole country.

    `country` is a code of `offered_countries`; any other code has no holidays. `region` is a code of `regions_of`; any
    other text, such as "", stands for the whole country.
    """
    if country not in offered_countries():
        return {}
    known = region if region in regions_of(country) else None
    return dict(sorted(public.country_holidays(country, subdiv=known, years=year, language="en_US").items()))


def is_holiday(day: date, country: str, region: str = "") -> bool:
    """Return whether a day is a public holiday in the country, or in its region `region`; False if `country` is ""."""
    return bool(country) and day in holidays_of(day.year, country, region)


@lru_cache(maxsize=1)
def offered_countries() -> dict[str, str]:
    """Return the English names of the countries whose public holidays are known, by ISO 3166-1 code, sorted by name."""
    known = {codes[1] for codes in COUNTRIES.values()}
    return {code: name for code, name in countries().items() if code in known}


@lru_cache(maxsize=32)
def regions_of(country: str) -> tuple[str, ...]:
    """Return the codes of a country's regions with known public holidays, such as HH for Hamburg."""
    return tuple(public.country_holidays(country).subdivisions) if country in offered_countries() else ()
