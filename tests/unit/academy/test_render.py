"""A lesson's Markdown becomes HTML that runs nothing and asks no other site."""

import re
from html.parser import HTMLParser

import pytest

from academy.courses import render

FILES = "/courses/safe/files/"


def html(markdown: str) -> str:
    """Render with the pictures of one course."""
    return render.to_html(markdown, FILES)


def test_prose_headings_lists_code_and_tables_are_kept() -> None:
    shown = html(
        "# One\n\n## Two\n\n*a* **b** ~~c~~ `d`\n\n- x\n\n3. y\n\n> q\n\n```python\nx < 1\n```\n\n---\n"
    )
    assert "<h2>One</h2>" in shown
    assert "<h2>Two</h2>" in shown
    assert "<em>a</em> <strong>b</strong> <s>c</s> <code>d</code>" in shown
    assert '<ol start="3">' in shown
    assert "<blockquote>" in shown
    assert '<code class="language-python">x &lt; 1' in shown
    assert "<hr>" in shown


def test_a_table_is_aligned_by_class_and_never_by_style() -> None:
    shown = html("| a | b | c | d |\n|:--|:-:|--:|---|\n| 1 | 2 | 3 | 4 |\n")
    for side in ("left", "center", "right"):
        assert f'<th class="align-{side}">' in shown
        assert f'<td class="align-{side}">' in shown
    assert "style" not in shown


class Tags(HTMLParser):
    """The tags of a page, each with its attributes, as a browser would see them."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(shown)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.found.append((tag, dict(attrs)))


@pytest.mark.control("ASVS-5.0-1.3.1")
@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<svg onload=alert(1)>",
        "<style>*{display:none}</style>",
        "<iframe src=//evil.example></iframe>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:msgbox)",
        "![x](javascript:alert(1))",
        '[x](https://a.test "\\" onmouseover=\\"alert(1)")',
        '``` x" onclick="alert(1)\ncode\n```',
        "``` x&#34;onclick=alert(1)\ncode\n```",
        "<a href='x' style='position:fixed'>x</a>",
        "[x](<javascript:alert(1)>)",
        "[a]: javascript:alert(1)\n\n[a]",
        "<javascript:alert(1)>",
        "</div></body><script>",
    ],
)
def test_nothing_that_runs_or_styles_gets_through(hostile: str) -> None:
    shown = html(f"before\n\n{hostile}\n\nafter")
    assert "<p>before</p>" in shown
    found = Tags(shown).found
    assert {tag for tag, _ in found} <= {"p", "a", "img", "pre", "code", "em"}
    for _, attributes in found:
        assert attributes.keys() <= {"href", "src", "alt", "title", "rel", "loading", "class"}
        address = attributes.get("href") or attributes.get("src") or "/"
        assert re.match(r"/|https://|[a-z0-9%-]+$", address), address


def test_pictures_come_from_the_course() -> None:
    shown = html("![A door](images/door.png)\n\n![Key](../images/key%20.png)\n\n![K](key.png)\n")
    assert f'<img src="{FILES}door.png" alt="A door" loading="lazy">' in shown
    assert f'<img src="{FILES}key.png" alt="K" loading="lazy">' in shown
    assert shown.count("<img") == 2


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/a.png", "//evil.example/a.png", "/a.png", "../../a.png", "a/b.png", "x:y"],
)
def test_a_picture_from_elsewhere_leaves_only_its_words(address: str) -> None:
    shown = html(f"![Some <words>]({address})")
    assert shown == "<p><em>Some &lt;words&gt;</em></p>\n"


def test_all_pictures_of_a_text_are_listed() -> None:
    text = "![a](images/a.png)\n\n- ![b](b.png)\n\n| ![c](c.png) |\n|---|\n| x |\n\n`![d](d.png)`\n\n[![e](e.png)](/)"
    assert render.list_images(text) == ["images/a.png", "b.png", "c.png", "e.png"]


def test_links_to_other_sites_say_so_and_own_links_do_not() -> None:
    shown = html(
        "[a](https://other.example/x) [b](/profile) [c](#d) <https://third.example> [e](mailto:a@b.test)"
    )
    assert '<a href="https://other.example/x" rel="noopener nofollow">a</a>' in shown
    assert '<a href="https://third.example" rel="noopener nofollow">' in shown
    assert '<a href="/profile">b</a> <a href="#d">c</a>' in shown


@pytest.mark.parametrize("address", ["//evil.example", "http://[", "https://a:b@[::1"])
def test_an_odd_address_is_an_address_elsewhere(address: str) -> None:
    shown = html(f"[x](<{address}>)")
    assert "<a" not in shown or 'rel="noopener nofollow"' in shown


def test_a_link_to_another_lesson_s_file_leads_to_its_page() -> None:
    assert '<a href="second-factors">' in html("[next](03-second-factors.md)")
    assert '<a href="phishing">' in html("[next](./phishing.md)")
