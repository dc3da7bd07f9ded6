"""Test the Markdown of help articles: headings, the article's own images, and no active content."""

import pytest

from portal.render import article, plain_article


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("![The <menu>](menu.webp)", '<p><img src="/help/x/pictures/menu.webp" alt="The &lt;menu&gt;"></p>'),
        ("![x](../../sign-out)", "<p>![x](../../sign-out)</p>"),
        ("# One\n\n## Two", "<h2>One</h2>\n<h3>Two</h3>"),
        ("<img src=/help/x onerror=alert(1)>", "<p>&lt;img src=/help/x onerror=alert(1)&gt;</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("#1042 stays", "<p>#1042 stays</p>"),
    ],
)
def test_an_article_shows_its_own_pictures_and_nothing_active(text: str, html: str) -> None:
    """S2.45, R46, R47: an article shows its own images; images by other paths, HTML and scripts stay plain text."""
    assert article(text, "/help/x/pictures/") == html


def test_the_words_of_an_article_have_no_marks() -> None:
    """S2.45: the plain text of an article has no formatting marks and no images."""
    assert plain_article("## First\n\n1. Open **it**\n\n![The menu](menu.webp) and go") == "First · 1. Open it · and go"


def test_a_picture_of_another_site_becomes_a_link() -> None:
    """S2.45, R46: an image of another site becomes a link to it, so that the browser fetches nothing from there."""
    html = article("![x](https://evil.example/a.png)", "/help/x/pictures/")
    assert "<img" not in html
    assert 'href="https://evil.example/a.png"' in html
