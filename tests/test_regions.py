"""Test the countries, currencies, time zones and locales that forms offer."""

from zoneinfo import ZoneInfo

import pytest

from portal import regions


def test_what_is_no_country_currency_zone_or_locale_is_refused() -> None:
    for read, wrong in [
        (regions.country, "EU"),
        (regions.country, "XX"),
        (regions.country, ""),
        (regions.currency, "DEM"),
        (regions.currency, "EURO"),
        (regions.time_zone, "Berlin"),
        (regions.time_zone, "../etc/passwd"),
        (regions.locale, "xx_XX"),
    ]:
        with pytest.raises(ValueError, match="Choose"):
            read(wrong)


def test_lists_hold_what_is_in_use() -> None:
    assert regions.countries()["IE"] == "Ireland"
    assert regions.currencies()["JPY"] == "Japanese Yen"
    assert "Europe/Berlin" in regions.zones()
    assert len(regions.countries()) == 250


def test_time_zones_are_offered_by_their_canonical_names_and_taken_by_any() -> None:
    """Forms offer time zones by their canonical names only, and accept aliases.

    An alias, which a browser or an old row may use, is replaced by the canonical name of the same time zone.
    """
    offered = regions.zones()
    assert not {"Europe/Kiev", "Asia/Calcutta", "US/Pacific", "America/Buenos_Aires", "Etc/UTC", "GMT", "CET"} & set(
        offered
    )
    assert offered["America/New_York"] == "America/New York"
    assert [regions.time_zone(name) for name in offered] == list(offered)
    for typed, zone in {
        "Europe/Kiev": "Europe/Kyiv", "Asia/Calcutta": "Asia/Kolkata", "US/Pacific": "America/Los_Angeles", "Etc/UTC": "UTC",
        "america/new york ": "America/New_York", "GMT": "UTC",
    }.items():  # fmt: skip
        assert regions.time_zone(typed) == zone
    for zone in offered:
        assert ZoneInfo(zone).key == zone
