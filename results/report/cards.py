"""A paper's card: its README in reproductions/, rendered. No code of a reproduction is imported."""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from common.data.decoding import Unreadable
from results.report.figures import embed

KEPT_LINKS = ("https://", "http://")
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)  # such as the marks of results.readme


@dataclass(frozen=True)
class Card:
    """title: the README's heading; lead: what stands above its first section; sections: {heading: text}; as HTML."""

    title: str
    lead: Markup
    sections: dict


def read_card(paper, folder=None):
    """The Card of `paper` from FOLDER/<paper>/README.md; folder: None for reproductions/ beside this package.

    Comments are left out, other HTML in a README is shown as text, links to files beside it lose their target, and its
    pictures become data. A paper without README has a card without text.
    """
    folder = Path(folder or Path(__file__).parents[2] / "reproductions") / paper
    path = folder / "README.md"
    if not path.is_file():
        return Card(paper, Markup(), {})
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table class="plain">\n')
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    title, parts, inside = paper, {"": []}, ""
    for token in reader.parse(COMMENT.sub("", path.read_text(encoding="utf-8"))):
        if token.tag in ("h1", "h2"):
            inside = token.tag if token.type == "heading_open" else ""
        elif inside == "h1":
            title = token.content
        elif inside == "h2":
            parts[token.content] = []
        else:
            for child in token.children or []:
                _make_portable(child, folder)
            parts[next(reversed(parts))].append(token)
    html = {name: Markup(reader.renderer.render(tokens, reader.options, {})) for name, tokens in parts.items()}
    return Card(title, html.pop(""), html)


def _make_portable(token, folder):
    """Change an inline token so that it needs no other file."""
    if token.type == "link_open" and not token.attrs["href"].startswith(KEPT_LINKS):
        token.attrs = {}
    if token.type == "image":
        try:
            token.attrs["src"] = embed(folder / token.attrs["src"]).source
        except Unreadable:
            token.type, token.children = "text", None
