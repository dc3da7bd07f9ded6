"""Test the account pages in a real browser: sessions, authenticator app, passkeys, recovery codes, required factors."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pyotp
import pytest
from playwright.async_api import Page, expect

from portal.database import transaction
from tests.e2e.conftest import Visitors
from tests.e2e.test_pages import FRAME, faults_of
from tests.world import ADA, INES, PASSWORD

pytestmark = pytest.mark.slow


def code(secret: str, *, steps: int = 0) -> str:
    """Return the code of the authenticator app for now, or for `steps` times 30 seconds later.

    A test that needs a second code asks for a later one, because no code is accepted twice.
    """
    return pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


async def looked_at(page: Page, name: str) -> None:
    """Assert that `faults_of` finds no fault in the page. `FRAME`, the parts that all pages share, is left out.

    If PORTAL_PICTURES names a folder, save screenshots there at two widths in light and dark; their file names begin
    with `name`.
    """
    if folder := os.environ.get("PORTAL_PICTURES"):
        for width in (1440, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": 1440, "height": 900})
    assert await faults_of(page, name, FRAME) == []


async def type_password(page: Page, email: str) -> None:
    await page.locator("[name=email]").fill(email)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def sign_out(page: Page) -> None:
    await page.locator(".person-button").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def set_up_app(page: Page) -> str:
    """Set up an authenticator app on the page that shows the QR code, and return the secret that the page shows.

    A wrong code is tried first, and must be refused.
    """
    await page.get_by_text("No camera?").click()
    secret = "".join((await page.locator(".key-text").inner_text()).split())
    await page.locator("[name=code]").fill("123")
    await page.get_by_role("button", name="Set up the app").click()
    await expect(page.get_by_text("This is not the code of this moment")).to_have_count(2)
    await page.locator("[name=code]").fill(code(secret))
    await page.get_by_role("button", name="Set up the app").click()
    return secret


async def test_an_authenticator_app_is_asked_for_from_then_on(visitors: Visitors) -> None:
    """R9, R17: after an authenticator app is set up, signing in asks for its code or a recovery code.

    The secret beside the QR code gives valid codes, ten recovery codes are shown once, and the person's other sessions
    end.
    """
    elsewhere = await visitors.signed_in(ADA.email)
    page = await visitors.through_the_sign_in_page(ADA.email)
    await page.goto("/account")
    await looked_at(page, "account")
    await page.get_by_role("link", name="Set it up").click()
    await looked_at(page, "second-factor-none")
    await page.get_by_role("link", name="Set up an app").click()
    await looked_at(page, "authenticator")
    secret = await set_up_app(page)
    await expect(page.locator("#codes li")).to_have_count(10)
    await looked_at(page, "recovery-codes")
    recovery = await page.locator("#codes li").first.inner_text()
    await page.get_by_role("link", name="I have them").click()
    await elsewhere.goto("/cases")
    await expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()

    await sign_out(page)
    await type_password(page, ADA.email)
    await looked_at(page, "second-step")
    await page.locator("[name=code]").fill("000000")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("This code is not right").first).to_be_visible()
    await page.locator("[name=code]").fill(code(secret, steps=1))
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="for you")).to_be_visible()

    await sign_out(page)
    await type_password(page, ADA.email)
    await page.locator("[name=code]").fill(recovery.upper())
    await page.get_by_role("button", name="Sign in").click()
    await page.goto("/account/second-factor")
    await expect(page.get_by_text("9 of 10 are left")).to_be_visible()
    await page.get_by_role("button", name="Remove").click()
    await page.get_by_role("button", name="Remove it").click()
    await expect(page.get_by_role("link", name="Set up an app")).to_be_visible()


@pytest.fixture
async def by_name(visitors: Visitors) -> AsyncIterator[Visitors]:
    """Return windows that open the portal at `localhost`, because browsers do not allow passkeys at an IP address."""
    visitors.url = visitors.url.replace("127.0.0.1", "localhost")
    return visitors


async def with_authenticator(page: Page) -> None:
    """Add Chromium's virtual authenticator to the page, so that it can create and use passkeys."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }  # fmt: skip
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def test_a_passkey_signs_in_and_its_answer_counts_once(by_name: Visitors) -> None:
    """R10: Ines signs in with a passkey of Chromium's virtual authenticator; sending the same response again gets 422.

    The same authenticator cannot be added twice.
    """
    page = await by_name.through_the_sign_in_page(INES.email)
    await with_authenticator(page)
    await page.goto("/account/passkeys/new")
    await looked_at(page, "passkey")
    await page.locator("[name=name]").fill("Ines's phone")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator("#codes li")).to_have_count(10)
    await page.get_by_role("link", name="I have them").click()
    await expect(page.get_by_text("Ines's phone").first).to_be_visible()

    await page.get_by_role("link", name="Add a passkey").click()
    await page.locator("[name=name]").fill("The same")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("has a passkey for your account already")).to_be_visible()

    await sign_out(page)
    await type_password(page, INES.email)
    async with page.expect_request(lambda request: request.method == "POST") as sent:
        await page.get_by_role("button", name="Use your passkey").click()
    await expect(page.get_by_role("heading", name="All")).to_be_visible()

    await sign_out(page)
    await type_password(page, INES.email)
    request = await sent.value
    fields = {name: values[0] for name, values in parse_qs(request.post_data or "").items()}
    fields["csrf"] = await page.locator("form[data-passkey] [name=csrf]").get_attribute("value") or ""
    again = await page.request.post(request.url, form=fields)
    assert again.status == 422
    assert "could not be used here" in await again.text()
    async with transaction(None) as tx:
        assert await tx.fetchval("select sign_count from passkey") > 0


@pytest.mark.parametrize("served_with", [{"PORTAL_REQUIRE_SECOND_FACTOR": "yes"}])
async def test_an_agent_who_needs_a_second_factor_gets_nowhere_without(visitors: Visitors) -> None:
    """R9: an agent who must have a second factor sees only the page that sets one up, without navigation.

    A contact needs no second factor and sees the cases at once.
    """
    contact = await visitors.signed_in(ADA.email)
    await expect(contact.get_by_role("heading", name="for you")).to_be_visible()
    page = await visitors.signed_in(INES.email)
    for address in ("/agent/cases", "/account", "/account/password"):
        await page.goto(address)
        await expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    await expect(page.locator("#rail")).to_have_count(0)
    await looked_at(page, "second-factor-needed")
    await page.get_by_role("link", name="Set up an app").click()
    await set_up_app(page)
    await page.get_by_role("link", name="I have them").click()
    await expect(page.get_by_role("heading", name="All")).to_be_visible()
    await page.goto("/account/second-factor")
    await expect(page.get_by_text("To replace this one, set up another first")).to_be_visible()
    await expect(page.get_by_role("button", name="Remove")).to_have_count(0)


async def test_somebody_sees_where_they_are_signed_in_and_ends_it(visitors: Visitors) -> None:
    """R17: Ada sees her two sessions in her account and ends the other one. That window then shows the sign-in page."""
    page, other = await visitors.signed_in(ADA.email), await visitors.signed_in(ADA.email, width=390)
    await page.goto("/account")
    await expect(page.locator("#sessions li")).to_have_count(2)
    await page.get_by_role("button", name="Sign out Chrome on Linux").click()
    await expect(page.locator("#sessions li")).to_have_count(1)
    await other.goto("/cases")
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_the_password_is_asked_for_again_before_what_could_lock_out(visitors: Visitors) -> None:
    """R20: eleven minutes after signing in, Ada must type her password before she can set up a second factor.

    Otherwise somebody who finds her session open could lock her out.
    """
    page = await visitors.signed_in(ADA.email)
    async with transaction(None) as tx:
        await tx.execute("update session set confirmed_at = confirmed_at - interval '11 minutes'")
    await page.goto("/account/authenticator")
    await looked_at(page, "confirmation")
    await page.locator("[name=password]").fill("wrong")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_text("This is not your password").first).to_be_visible()
    await page.locator("[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", name="Set up an authenticator app")).to_be_visible()


async def test_a_password_is_changed(visitors: Visitors) -> None:
    """R17: with a wrong current password, Ada sees an error message; with the right one, her password is changed."""
    page = await visitors.signed_in(ADA.email)
    await page.goto("/account/password")
    await looked_at(page, "password")
    for current, said in (("wrong", "This is not your current password"), (PASSWORD, "Your password is changed")):
        await page.locator("[name=current_password]").fill(current)
        for field in ("password", "again"):
            await page.locator(f"[name={field}]").fill("violet kettle under seven bridges")
        await page.get_by_role("button", name="Change password").click()
        await expect(page.get_by_text(said).first).to_be_visible()
