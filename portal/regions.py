"""The countries, currencies, time zones and locales that forms offer, and functions that check which one was chosen."""

import re
from functools import cache
from importlib.resources import files

from babel import Locale
from babel.core import get_global

from portal.folding import folded

LOCALES = {
    tag: Locale.parse(tag).get_display_name("en_GB") or tag
    for tag in "en_GB en_IE en_US de_DE de_AT de_CH fr_FR fr_CH nl_NL it_IT es_ES pt_PT da_DK nb_NO sv_SE fi_FI pl_PL cs_CZ".split()
}
"""The locales that forms offer (language and country), each with its English name."""


EU = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())
"""The country codes of the European Union.

An invoice without VAT to a customer in another country of the EU needs the customer's VAT id (D42).
"""


def country(text: str) -> str:
    """Return the ISO 3166-1 alpha-2 code of a country, in capitals.

    Raise `ValueError` unless forms offer the country.
    """
    if text.strip().upper() not in countries():
        raise ValueError("Choose a country from the list.")
    return text.strip().upper()


def currency(text: str) -> str:
    """Return the ISO 4217 code of a currency that is in use, in capitals. Raise `ValueError` for any other."""
    if text.strip().upper() not in currencies():
        raise ValueError("Choose a currency from the list.")
    return text.strip().upper()


def time_zone(text: str) -> str:
    """Return the canonical name of a time zone, such as Europe/Berlin. Raise `ValueError` for an unknown time zone.

    Case does not matter, and spaces may replace underscores. An alias (Europe/Kiev, Asia/Calcutta, US/Pacific) gives
    the name of the time zone that it stands for.
    """
    found = _zone_names().get("_".join(text.split()).lower())
    if found is None:
        raise ValueError("Choose a time zone from the list, such as Europe/Berlin.")
    return found


def locale(text: str) -> str:
    """Return the locale `text`, such as `en_GB`. Raise `ValueError` if it is not in `LOCALES`.

    A person's locale decides how dates and numbers are written for them.
    """
    if text not in LOCALES:
        raise ValueError("Choose one from the list.")
    return text


@cache
def countries() -> dict[str, str]:
    """Return a dictionary of all countries, from code to English name, sorted by name."""
    names = Locale.parse("en_GB").territories
    reserved = set(
        "AC CP CQ DG EA EU EZ IC TA UN XA XB ZZ".split()
    )  # ISO 3166 reserves these codes for things that are not countries.
    real = {code for code in get_global("territory_currencies") if re.fullmatch("[A-Z]{2}", code)} - reserved
    return dict(sorted(((code, names[code]) for code in real if code in names), key=lambda pair: folded(pair[1])))


@cache
def currencies() -> dict[str, str]:
    """Return a dictionary of the currencies that some country uses today, from code to English name, sorted by code."""
    names = Locale.parse("en_GB").currencies
    used = {
        code
        for spans in get_global("territory_currencies").values()
        for code, _, end, tender in spans
        if end is None and tender
    }
    return {code: names[code] for code in sorted(used) if code in names}


@cache
def zones() -> dict[str, str]:
    """Return a dictionary of the time zones that forms offer (UTC and `zone.tab`), from canonical name to label."""
    rows = (files("tzdata") / "zoneinfo" / "zone.tab").read_text().splitlines()
    places = sorted(row.split("\t")[2] for row in rows if row and not row.startswith("#"))
    return {name: name.replace("_", " ") for name in ("UTC", *places)}


@cache
def _zone_names() -> dict[str, str]:
    """Return a dictionary from every accepted name of a time zone, in lower case, to its canonical name."""
    aliases = {alias: zone for alias, zone in get_global("zone_aliases").items() if zone in zones()}
    utc = dict.fromkeys(("Etc/UTC", "Etc/UCT", "Etc/GMT", "Etc/Zulu", "GMT", "UCT", "Zulu"), "UTC")
    return {name.lower(): zone for name, zone in {**aliases, **utc, **{zone: zone for zone in zones()}}.items()}
