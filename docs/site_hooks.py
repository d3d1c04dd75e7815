"""What the site does to pages that are also read in the repository."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DRAWING = "assets/mermaid/mermaid.js"
EXAMPLE = "orders.example.toml"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Take in the one file beside docs/ that pages link to."""
    source = Path(config.docs_dir).parent / EXAMPLE
    files.append(File.generated(config, EXAMPLE, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let links to it lead to its place in the site."""
    return markdown.replace(f"](../{EXAMPLE})", f"]({EXAMPLE})")


def on_post_page(output: str, *, page: Page, **_: object) -> str:
    """Bring the script that draws to the pages that have something to draw.

    The theme fetches it from elsewhere unless it is there first.
    """
    if '<pre class="mermaid">' not in output:
        return output
    depth = page.file.dest_uri.count("/")
    script = f'<script src="{"../" * depth}{DRAWING}"></script>'
    return output.replace("</body>", f"{script}</body>", 1)
