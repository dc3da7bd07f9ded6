"""Test when the mail of a notice is due, by the clock of its reader."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from portal.notices.choices import Choices, Mail

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("mail", "at", "due"),
    [
        (Mail.NEVER, "2026-11-20T12:00", None),
        (Mail.AT_ONCE, "2026-11-20T12:00", "2026-11-20T12:00"),
        (Mail.AT_ONCE, "2026-11-20T21:59", "2026-11-20T21:59"),
        (Mail.AT_ONCE, "2026-11-20T22:00", "2026-11-21T07:00"),
        (Mail.AT_ONCE, "2026-11-21T06:59", "2026-11-21T07:00"),
        (Mail.AT_ONCE, "2026-11-21T07:00", "2026-11-21T07:00"),
        (Mail.DIGEST, "2026-11-20T07:59", "2026-11-20T08:00"),
        (Mail.DIGEST, "2026-11-20T08:00", "2026-11-21T08:00"),
        # The clocks go back at 03:00 on 25 October, and forward at 02:00 on 28 March.
        (Mail.AT_ONCE, "2026-10-24T23:30", "2026-10-25T07:00"),
        (Mail.DIGEST, "2027-03-27T23:30", "2027-03-28T08:00"),
    ],
)
def test_the_hour_of_a_mail_is_in_the_time_zone_of_its_reader(mail: Mail, at: str, due: str | None) -> None:
    """Quiet hours and the digest's hour follow the reader's time zone, also when daylight saving begins or ends."""
    choices = Choices(True, BERLIN, {}, 8, 22, 7)
    found = choices.mail_due(mail, datetime.fromisoformat(at).replace(tzinfo=BERLIN).astimezone(UTC))
    assert found == (datetime.fromisoformat(due).replace(tzinfo=BERLIN) if due else None)
