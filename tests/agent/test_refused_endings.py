"""Test that an admin can refuse files by extension, in addition to programs, which are always refused."""

from portal.database import transaction
from portal.people.readers import SYSTEM
from portal.web.gate import Gate
from tests.browser import Browser, text_of
from tests.forms import send
from tests.world import ADA, INCIDENT, NOOR


async def refused_endings() -> list[str]:
    async with transaction(SYSTEM) as tx:
        return [row["ending"] for row in await tx.fetch("select ending from refused_ending order by ending")]


async def attach(browser: Browser, name: str) -> str:
    """Create a case with a file of this name. Return the HTML of the refusal, or "" if the case was created."""
    page = await browser.get("/cases/new")
    answer = await send(
        browser, page, "/cases/new", subject="See", body="The file.", case_type=str(INCIDENT), files={"files": (name, b"x")}
    )  # fmt: skip
    return answer.text if answer.status_code == 422 else ""


async def test_a_customer_cannot_attach_what_an_admin_refuses_until_it_is_taken_again(app: Gate) -> None:
    """R56: Ada cannot upload a file with an extension that Noor refuses, until Noor accepts the extension again."""
    async with await Browser.of(app, NOOR) as noor, await Browser.of(app, ADA) as ada:
        assert await attach(ada, "disk.iso") == ""
        for typed in (".ISO", "iso", "*.iso"):
            assert (await noor.send_form("/agent/setup/files", {"ending": typed})).status_code == 303
        assert await refused_endings() == ["iso"]
        assert ">.iso<" in (await noor.get("/agent/setup/files")).text
        assert "Files ending in “.iso” are not taken here. Remove “disk.ISO”." in await attach(ada, "disk.ISO")
        for _ in range(2):
            assert (
                await noor.post("/agent/setup/files/iso/removal", data={"csrf": await noor.csrf()})
            ).status_code == 303
        assert await refused_endings() == []
        assert await attach(ada, "disk.iso") == ""
        assert "removed iso from the endings of files that are refused" in text_of(
            (await noor.get("/agent/setup/changes")).text
        )


async def test_an_ending_that_is_none_or_is_refused_anyway_is_refused_with_a_sentence(app: Gate) -> None:
    async with await Browser.of(app, NOOR) as noor:
        for typed, sentence in (
            ("", "Write one ending of letters and digits, such as iso."),
            ("a b", "Write one ending of letters and digits, such as iso."),
            ("x" * 17, "Write one ending of letters and digits, such as iso."),
            (".exe", "Files ending in “.exe” are refused already: they are programs."),
        ):
            answer = await noor.send_form("/agent/setup/files", {"ending": typed})
            assert (answer.status_code, sentence in answer.text) == (422, True)
    assert await refused_endings() == []
