"""Test help articles: writing, publishing, audiences, search, suggestions, images and counted views (S2.45)."""

import asyncio
import io
import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from PIL import Image

from portal.database import current, transaction
from portal.desk.help import pictures, reading
from portal.desk.help.articles import Article, HelpFacts, slug_of
from portal.errors import Conflict, Invalid, NotFound
from portal.people.readers import Reader
from portal.web import limits
from portal.web.gate import Gate
from tests.browser import Browser
from tests.world import ADA, ALAN, GIL, INCIDENT, INES, MAX, NOOR, NOW

pytestmark = pytest.mark.usefixtures("dsn", "clock")

VPN = "## First\n\nOpen the **menu**.\n\n![The menu](menu.webp)"


async def article(title: str = "Set up the VPN", *, text: str = VPN, audience: str = "everybody", is_out: bool = True) -> Article:  # fmt: skip
    """Write an article as Ines, and publish it unless `is_out` is False."""
    async with transaction(INES):
        made = await Article.write(HelpFacts(title=title, text=text, audience=audience), by=INES, at=NOW)
        if is_out:
            await made.publish(NOW)
        return made


async def titles(reader: Reader | None, text: str = "") -> list[str]:
    async with transaction(reader, readonly=True):
        return [row.title for row in (await reading.listed(reader, text)).rows]


def png() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 20), "grey").save(made, "PNG")
    return made.getvalue()


# --- writing


async def test_an_agent_writes_publishes_changes_and_withdraws_an_article(app: Gate) -> None:
    """S2.45, R89: only agents see a draft. A published article shows author, date and views. Each step is audited."""
    async with (
        await Browser.of(app, INES, at=NOW) as ines,
        Browser(app) as nobody,
        await Browser.of(app, NOOR, at=NOW) as noor,
    ):
        sent = await ines.send_form(
            "/agent/help/new", {"title": "Set up the VPN", "text": VPN, "audience": "everybody"}
        )
        here = sent.headers["location"]
        assert (await nobody.get("/help/set-up-the-vpn")).status_code == 404
        assert "<h2>First</h2>" in (await ines.get(here)).text
        for _ in range(2):  # a repeat is harmless
            assert (await ines.send_form(f"{here}/publication")).status_code == 303
        page = (await nobody.get("/help/set-up-the-vpn")).text
        for words in (
            "By Ines Okafor, updated",
            'datetime="2026-11-20',
            "not read yet",
            "<h2>First</h2>",
            "Still need help?",
        ):
            assert words in page, words
        changed = {"title": "Set up our VPN", "text": "New.", "audience": "customers"}
        assert (await noor.send_form(f"{here}/edit", changed)).status_code == 303
        assert (await nobody.get("/help/set-up-the-vpn")).status_code == 404
        assert (await ines.send_form(f"{here}/withdrawal")).status_code == 303
        assert (await ines.send_form(f"{here}/deletion")).status_code == 303
        assert (await ines.get(here)).status_code == 404
        log = (await noor.get("/agent/setup/changes?kind=help")).text
        for words in (
            "wrote the article",
            "published the article",
            "changed the text",
            "withdrew",
            "deleted the article",
        ):
            assert words in log, words
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from audit where what like 'help_article.%'") == 5
        assert "New." not in str(await tx.fetch("select changes from audit"))


async def test_a_preview_saves_nothing(app: Gate) -> None:
    """S2.45: the preview shows the typed text as readers would see it, keeps what was typed, and writes no article."""
    async with await Browser.of(app, INES, at=NOW) as ines:
        typed = {"title": "Set up", "text": "## Here\n\nMARK", "audience": "agents", "then": "preview"}
        answer = await ines.send_form("/agent/help/new", typed)
        assert answer.status_code in (200, 201)
        assert "<h2>Here</h2>" in answer.text
        assert "## Here" in answer.text
        assert "No articles yet" in (await ines.get("/agent/help")).text
        made = await article(is_out=False)
        answer = await ines.send_form(f"/agent/help/{made.id}/edit", typed)
        assert "<h2>Here</h2>" in answer.text
        assert "MARK" not in (await ines.get(f"/agent/help/{made.id}")).text


async def test_a_new_article_is_saved_before_pictures_are_added_to_it(app: Gate) -> None:
    """S2.45: a button in the form of a new article saves the article and leads to its pictures.

    If the title is missing, the form is refused and nothing is saved.
    """
    async with await Browser.of(app, INES, at=NOW) as ines:
        typed = {"title": "Set up", "text": "## Here", "audience": "agents", "then": "pictures"}
        assert 'value="pictures"' in (await ines.get("/agent/help/new")).text
        assert (await ines.send_form("/agent/help/new", typed | {"title": ""})).status_code == 422
        assert "No articles yet" in (await ines.get("/agent/help")).text
        here, _, place = (await ines.send_form("/agent/help/new", typed)).headers["location"].partition("#")
        page = (await ines.get(here)).text
        assert (place, 'id="pictures"' in page, "<h2>Here</h2>" in page) == ("pictures", True, True)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": " "}, "title"), ({"title": "x" * 121}, "title"), ({"text": "\n"}, "text"), ({"text": "x" * 30_001}, "text"),
        ({"audience": "all"}, "audience"), ({"title": "SET UP the VPN"}, "title"),
    ],
)  # fmt: skip
async def test_a_wrong_field_of_an_article_is_refused_and_changes_nothing(fields: dict[str, str], wrong: str) -> None:
    """S2.45: an invalid field, such as a title that another article has, gets an error, and nothing is saved."""
    await article()
    other = await article("Another one")
    with pytest.raises(Invalid) as refused:
        async with transaction(INES):
            await Article.write(HelpFacts(**{"title": "New", "text": "Text"} | fields), by=INES, at=NOW)
    assert list(refused.value.fields) == [wrong]
    with pytest.raises(Invalid):
        async with transaction(INES):
            held = await Article.find(other.id, hold=True)
            await held.change(HelpFacts(**{"title": "Another one", "text": "Text"} | fields), NOW)
    async with transaction(INES, readonly=True):
        assert (await Article.find(other.id)).edition == 1
    assert await titles(None) == ["Another one", "Set up the VPN"]


async def test_a_published_article_is_not_deleted() -> None:
    """S2.45: a published article must be withdrawn before it is deleted, so that a single click breaks no links."""
    made = await article()
    async with transaction(INES):
        with pytest.raises(Conflict):
            await (await Article.find(made.id, hold=True)).discard()
        await made.withdraw()
        await (await Article.find(made.id, hold=True)).discard()
        assert await current().fetchval("select count(*) from help_text") == 0


async def test_two_agents_who_write_at_once_get_two_addresses() -> None:
    """S2.45: two articles with the same words in the title, written at once, get different slugs.

    The slug of an article stays when its title changes. It has only small letters, digits and hyphens.
    """
    first, second = await asyncio.gather(article("Wi-Fi?"), article("Wi Fi!"))
    assert {first.slug, second.slug} == {"wi-fi", "wi-fi-2"}
    async with transaction(INES):
        await (await Article.find(first.id, hold=True)).change(HelpFacts(title="WLAN", text="Text"), NOW)
        assert (await Article.find(first.id)).slug == first.slug
    assert [slug_of(title) for title in ("Über die Öfen", "日本", "A" * 90)] == ["uber-die-ofen", "article", "a" * 60]


# --- reading


READERS: list[tuple[Reader | None, int]] = [(None, 1), (ADA, 2), (GIL, 2), (INES, 3)]


@pytest.mark.parametrize(("reader", "many"), READERS)
async def test_each_reader_finds_what_is_meant_for_them(app: Gate, reader: Reader | None, many: int) -> None:
    """S2.45, R24: the list, the search, the page and the images show an article only to its audience and to agents.

    A draft is in no list and no search of the help pages, and everybody gets 404 for its help page.
    """
    made = [
        await article(f"For {audience}", text="MARK", audience=audience)
        for audience in ("everybody", "customers", "agents")
    ]
    await article("Draft", text="MARK", is_out=False)
    async with transaction(INES):
        for one in made:
            await pictures.add(one, "menu.png", await pictures.draw(png()), NOW)
    browser = await Browser.of(app, reader, at=NOW) if reader else Browser(app)
    async with browser:
        for place, one in enumerate(made):
            want = 200 if place < many else 404
            assert (await browser.get(f"/help/{one.slug}")).status_code == want
            assert (await browser.get(f"/help/{one.slug}/pictures/menu.webp")).status_code == want
        assert (await browser.get("/help/draft")).status_code == 404
        for address in ("/help", "/help?q=mark"):
            page = (await browser.get(address)).text
            assert [f"For {one}" in page for one in ("everybody", "customers", "agents")] == [
                place < many for place in range(3)
            ]
            assert "Draft" not in page
    async with transaction(reader, readonly=True) as tx:
        if reader is None or reader.is_contact:
            assert await tx.fetchval("select count(*) from help_text") == many
            assert await tx.fetchval("select count(*) from help_picture") == many


async def test_the_search_finds_all_words_with_titles_first() -> None:
    """S2.45: a search finds the articles that contain every word, regardless of case and accents.

    Articles with the words in the title come first.
    """
    await article("Printers", text="The VPN is not needed for Größe.")
    await article("VPN", text="Install it.")
    assert await titles(None, "vpn") == ["VPN", "Printers"]
    assert await titles(None, "vpn größe") == await titles(None, "VPN, grosse") == ["Printers"]
    assert await titles(None, "vpn fax") == []
    assert await titles(None, "\0 ' %") == []


async def test_a_long_list_goes_on_on_the_next_page(app: Gate) -> None:
    """S2.45: a page of the list has 25 articles, and a link to the next page if there are more."""
    for number in range(reading.PAGE + 1):
        await article(f"Article {number:02}", text="Text")
    async with Browser(app) as nobody, await Browser.of(app, INES, at=NOW) as ines:
        for browser, path in ((nobody, "/help"), (ines, "/agent/help")):
            first = (await browser.get(path)).text
            assert "Article 24" in first
            assert "Article 25" not in first
            assert f'href="{path}?page=2"' in first
            assert "Article 25" in (await browser.get(f"{path}?page=2")).text


async def test_articles_are_suggested_while_a_subject_is_typed(app: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """S2.45: articles with rare words of the subject are suggested first; contacts get only articles they may read."""
    await article("Set up the VPN", text="Text")
    await article("Set up the printer", text="Text")
    await article("VPN for agents", text="Text", audience="agents")
    async with await Browser.of(app, ADA, at=NOW) as ada:
        found = (await ada.get("/cases/new/suggestions?subject=The+VPN+drops")).text
        assert found.index("Set up the VPN") < found.index("Set up the printer")
        assert "for agents" not in found
        for subject in ("it", "", "Something else", "%00"):
            assert (await ada.get(f"/cases/new/suggestions?subject={subject}")).text.strip() == ""
        monkeypatch.setattr(limits, "SEARCHES", replace(limits.SEARCHES, free=1))
        refused = await ada.get("/cases/new/suggestions?subject=VPN")
        assert (refused.status_code, refused.text.strip()) == (200, ""), "R83: suggestions count as searches"


async def test_views_count_each_signed_in_reader_once_a_day(app: Gate) -> None:
    """S2.45: each signed-in reader of an article counts as one view a day.

    The records of who read the article on earlier days are deleted; the number of views stays.
    """
    made = await article()
    async with (
        Browser(app) as nobody,
        await Browser.of(app, ADA, at=NOW) as ada,
        await Browser.of(app, INES, at=NOW) as ines,
    ):
        for browser in (nobody, ada, ada, ines):
            assert (await browser.get(f"/help/{made.slug}")).status_code == 200
        assert "2\xa0views" in (await ada.get(f"/help/{made.slug}")).text
    async with transaction(ADA):
        await reading.count_view(made.id, NOW.date() + timedelta(days=1))
        await reading.count_view(999, NOW.date())
    async with transaction(INES) as tx:
        await reading.forget_readers(NOW.date() + timedelta(days=1))
        assert await tx.fetchval("select views from help_views") == 3
        assert await tx.fetchval("select count(read_on) from help_reading") == 1


async def test_two_readers_at_once_are_both_counted() -> None:
    """S2.45: if several readers open an article at the same moment, each is counted."""
    made = await article()

    async def look(reader: Reader) -> None:
        async with transaction(reader):
            await reading.count_view(made.id, NOW.date())

    await asyncio.gather(*(look(reader) for reader in (ADA, ALAN, GIL, INES, MAX)))
    async with transaction(INES) as tx:
        assert await tx.fetchval("select views from help_views") == 5


async def test_readers_change_no_article_and_no_number() -> None:
    """S2.45, R24: the database lets contacts and visitors change neither articles nor their images nor counted views."""
    await article()
    for reader in (ADA, None):
        for sql in (
            "update help_article set title = 'x'",
            "insert into help_views values (1, 5)",
            "delete from help_picture",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with transaction(reader) as tx:
                    await tx.execute(sql)


# --- caching and images


async def test_only_public_pictures_are_cached_and_they_set_no_cookie(app: Gate) -> None:
    """R42: only images of public articles may be cached, and their responses set no cookie; pages are not cached."""
    shown, hidden = await article(), await article("For customers", audience="customers")
    async with transaction(INES):
        for one in (shown, hidden):
            await pictures.add(one, "menu.png", await pictures.draw(png()), NOW)
    async with Browser(app) as nobody, await Browser.of(app, ADA, at=NOW) as ada:
        picture = await nobody.get(f"/help/{shown.slug}/pictures/menu.webp")
        assert picture.headers["cache-control"].startswith("public")
        assert "set-cookie" not in picture.headers
        assert picture.headers["content-type"] == "image/webp"
        assert "sandbox" in picture.headers["content-security-policy"]
        assert Image.open(io.BytesIO(picture.content)).size == (40, 20)
        assert (await nobody.get(f"/help/{shown.slug}")).headers["cache-control"] == "no-store"
        restricted = await ada.get(f"/help/{hidden.slug}/pictures/menu.webp")
        assert restricted.headers["cache-control"] == "no-store"


async def test_an_uploaded_picture_is_drawn_again_and_named_for_the_text(app: Gate) -> None:
    """S2.45, R59: an image is converted to WebP and named after its file; a file that is not an image is refused.

    Removing an image twice is harmless.
    """
    made = await article(is_out=False)
    here = f"/agent/help/{made.id}"
    async with await Browser.of(app, INES, at=NOW) as ines:
        for _ in range(2):
            sent = await ines.send_form(f"{here}/pictures", {}, files={"picture": ("The Menu.PNG", png())})
            assert sent.status_code == 303
        page = (await ines.get(here)).text
        assert "![…](the-menu.webp)" in page
        assert "![…](the-menu-2.webp)" in page
        assert (await ines.get(f"/help/{made.slug}/pictures/the-menu.webp")).status_code == 200
        for files in ({"picture": ("notes.png", b"MARK")}, None):
            refused = await ines.send_form(f"{here}/pictures", {}, files=files)
            assert refused.status_code == 422
            assert 'id="picture-wrong"' in refused.text
        for _ in range(2):
            assert (await ines.send_form(f"{here}/pictures/the-menu.webp/removal")).status_code == 303
        assert (await ines.get(f"/help/{made.slug}/pictures/the-menu.webp")).status_code == 404


async def test_a_form_of_a_picture_that_is_sent_again_adds_the_picture_chosen_last(app: Gate) -> None:
    """S2.45: after Back, a form that is sent again with the same form key but another image adds that image too.

    A file that is not an image is refused and leaves no row in the table `upload`.
    """
    here, key = f"/agent/help/{(await article(is_out=False)).id}", {"form_key": str(uuid.uuid4())}
    sent = (("notes.png", b"MARK", 422), ("first.png", png(), 303), ("second.png", png(), 303))
    async with await Browser.of(app, INES, at=NOW) as ines:
        for name, content, status in sent:
            answer = await ines.send_form(f"{here}/pictures", key, files={"picture": (name, content)})
            assert answer.status_code == status
        page = (await ines.get(here)).text
    assert [f"![…]({name}.webp)" in page for name in ("notes", "first", "second")] == [False, True, True]
    async with transaction(INES) as tx:
        assert await tx.fetchval("select count(*) from upload") == 0
        assert await tx.fetchval("select count(*) from help_picture") == 2


async def test_a_picture_that_the_text_shows_is_not_removed(app: Gate) -> None:
    """S2.45: an image that the text shows cannot be removed; the error message asks to take it out of the text first."""
    made = await article(is_out=False)
    async with transaction(INES):
        await pictures.add(made, "menu.png", await pictures.draw(png()), NOW)
    here = f"/agent/help/{made.id}"
    async with await Browser.of(app, INES, at=NOW) as ines:
        refused = await ines.send_form(f"{here}/pictures/menu.webp/removal")
        assert refused.status_code == 409
        assert "The text shows this picture. Take it out of the text first." in refused.text
        assert (await ines.get(f"/help/{made.slug}/pictures/menu.webp")).status_code == 200


async def test_an_article_has_a_limited_number_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """S2.45: an image beyond the limit is refused with an error message."""
    monkeypatch.setattr(pictures, "MOST", 1)
    made, drawing = await article(), await pictures.draw(png())
    async with transaction(INES):
        await pictures.add(made, "a.png", drawing, NOW)
        with pytest.raises(Invalid, match="at most 1 pictures"):
            await pictures.add(made, "b.png", drawing, NOW)


# --- a case


async def test_a_case_that_begins_at_an_article_names_it(app: Gate) -> None:
    """S2.45: an article links to the form of a new case. A visitor who follows the link must sign in first.

    The log of the case links to the article. Once the article is withdrawn, the log only names it.
    """
    made, hidden = await article(), await article("For agents", audience="agents")
    async with (
        Browser(app) as nobody,
        await Browser.of(app, ADA, at=NOW) as ada,
        await Browser.of(app, INES, at=NOW) as ines,
    ):
        assert f'href="/cases/new?article={made.slug}"' in (await nobody.get(f"/help/{made.slug}")).text
        led = (await nobody.get(f"/cases/new?article={made.slug}")).headers["location"]
        assert led.startswith("/sign-in")
        assert f"article%3D{made.slug}" in led
        page = (await ada.get(f"/cases/new?article={made.slug}")).text
        assert f'name="article" value="{made.slug}"' in page
        fields: dict[str, Any] = {"subject": "Still no VPN", "body": "Help.", "case_type": INCIDENT, "priority": 2}
        refused = await ada.send_form("/cases/new", fields | {"subject": "", "article": made.slug})
        assert f'value="{made.slug}"' in refused.text
        sent = await ada.send_form("/cases/new", fields | {"article": made.slug})
        case = sent.headers["location"]
        for browser, path in ((ada, case), (ines, f"/agent{case}")):
            text = (await browser.get(path)).text
            assert "Ada Lindqvist had read the article “Set up the VPN”" in text
            assert f'href="/help/{made.slug}"' in text
        async with transaction(INES):
            await made.withdraw()
        text = (await ines.get(f"/agent{case}")).text
        assert "had read the article “Set up the VPN”" in text
        assert f'href="/help/{made.slug}"' not in text, "no link to a page that is not there"
        for slug in (
            hidden.slug,
            "gone",
            "'",
        ):  # An article that Ada may not read is not named, but does not keep her from opening a case.
            assert (await ada.get("/cases/new", params={"article": slug})).status_code == 200, slug
            assert (await ada.send_form("/cases/new", fields | {"article": slug})).status_code == 303
    async with transaction(INES) as tx:
        events = await tx.fetch("select details from case_event where kind = 'read_article'")
        assert [json.loads(row["details"]) for row in events] == [{"slug": made.slug, "title": "Set up the VPN"}]


async def test_an_unknown_article_is_not_found() -> None:
    """S2.45: looking up an article by an unknown id or slug raises `NotFound`."""
    async with transaction(INES, readonly=True):
        for wrong in (reading.read("gone", INES), reading.as_written(7), Article.find(7)):
            with pytest.raises(NotFound):
                await wrong
