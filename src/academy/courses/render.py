"""A lesson's Markdown as HTML that is safe in our own pages, whoever wrote it.

Raw HTML in the text stays text, and what the renderer makes passes an allow-list besides. Pictures come from the
course alone, links to other sites say so, and nothing carries a style, as the content policy would refuse it.
"""

import functools
import html
import re
from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_TEXT_TAGS = {
    "p",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "code",
    "em",
    "strong",
    "s",
    "a",
    "img",
    "hr",
    "br",
}
_TAGS = _TEXT_TAGS | {"ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"}
_ATTRIBUTES = {
    "a": {"href", "title", "rel"},
    "img": {"src", "alt", "title", "loading"},
    "code": {"class"},
    "ol": {"start"},
    "td": {"class"},
    "th": {"class"},
}
_CLASS = re.compile(r"language-[A-Za-z0-9+#-]{1,30}|align-(left|center|right)")
_ALIGNMENT = re.compile(r"text-align:(left|center|right)")
_LESSON_FILE = re.compile(r"(?:\./)?(?:\d+-)?([a-z0-9-]+)\.md")
_IMAGE = re.compile(r"(?:\.{1,2}/)?(?:images/)?([A-Za-z0-9][A-Za-z0-9._-]*)")


def image_name(address: str) -> str | None:
    """Return which picture of the course an address in the text means; None for anything else."""
    found = _IMAGE.fullmatch(unquote(address))
    return found.group(1) if found else None


def list_images(markdown: str) -> list[str]:
    """Return the addresses of all pictures in the text."""
    return [
        str(child.attrs["src"])
        for token in _PARSER.parse(markdown)
        for child in token.children or ()
        if child.type == "image"
    ]


@functools.lru_cache(maxsize=256)
def to_html(markdown: str, files_url: str) -> str:
    """Return the text as HTML; `files_url` is where the course's pictures are, with a slash at its end."""
    rendered = _PARSER.render(markdown, {"files_url": files_url})
    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_only_known_classes,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def _only_known_classes(_tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "class" or _CLASS.fullmatch(value) else None


def _heading(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Write headings from the second level on: the first is the page's own."""
    if tokens[index].tag == "h1":
        tokens[index].tag = "h2"
    return renderer.renderToken(tokens, index, options, env)


def _cell(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    aligned = _ALIGNMENT.fullmatch(str(tokens[index].attrs.pop("style", "")))
    if aligned:
        tokens[index].attrSet("class", f"align-{aligned.group(1)}")
    return renderer.renderToken(tokens, index, options, env)


def _link(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    address = str(tokens[index].attrs["href"])
    lesson = _LESSON_FILE.fullmatch(address)
    if lesson:
        tokens[index].attrSet("href", lesson.group(1))
    elif not _is_here(address):
        tokens[index].attrSet("rel", "noopener nofollow")
    return renderer.renderToken(tokens, index, options, env)


def _is_here(address: str) -> bool:
    """Tell whether an address stays on this site; what cannot be read may lead anywhere."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    """Show the course's own pictures; another site's would tell it who reads what, so only their words stay."""
    name = image_name(str(tokens[index].attrs["src"]))
    if name is None:
        words = renderer.renderInlineAsText(tokens[index].children or [], options, env)
        return f"<em>{html.escape(words)}</em>"
    tokens[index].attrSet("src", env["files_url"] + quote(name))
    tokens[index].attrSet("loading", "lazy")
    return RendererHTML.image(renderer, tokens, index, options, env)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    for rule in ("heading_open", "heading_close"):
        parser.add_render_rule(rule, _heading)
    for rule in ("th_open", "td_open"):
        parser.add_render_rule(rule, _cell)
    parser.add_render_rule("link_open", _link)
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _parser()
