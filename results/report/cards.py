"""A paper's card: its README in reproductions/, rendered. The code of a reproduction is not imported."""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from common.data.decoding import Unreadable
from results.report.run_figures import embed_image

KEPT_LINKS = ("https://", "http://")
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)  # such as those of results.readme


@dataclass(frozen=True)
class Card:
    """A README as HTML: its heading, the text above its first section, and {heading of a section: its text}."""

    title: str
    lead: Markup
    sections: dict[str, Markup]


def read_card(paper: str, folder: str | Path | None = None) -> Card:
    """Render a paper's README.

    Args:
        paper: name of the paper. If it has no README, the card has no text.
        folder: folder of <paper>/README.md; None: reproductions/ beside this package.

    Returns:
        The Card. Comments are left out, other HTML is shown as text, links to local files lose their target, and images
        are embedded.
    """
    folder = Path(folder or Path(__file__).parents[2] / "reproductions") / paper
    path = folder / "README.md"
    if not path.is_file():
        return Card(paper, Markup(), {})
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table class="plain">\n')
    reader.add_render_rule("table_close", lambda *_: "</table></div>\n")
    title, heading = paper, ""
    parts: dict[str, list] = {"": []}
    for token in reader.parse(COMMENT.sub("", path.read_text(encoding="utf-8"))):
        if token.tag in ("h1", "h2"):
            heading = token.tag if token.type == "heading_open" else ""
        elif heading == "h1":
            title = token.content
        elif heading == "h2":
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
            token.attrs["src"] = embed_image(folder / token.attrs["src"]).source
        except Unreadable:
            token.type, token.children = "text", None
