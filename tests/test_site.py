"""The site of docs/: built without a warning, complete, and asking nobody for anything."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

from orders_connector import errors
from orders_connector.modeling.header import Check
from orders_connector.modeling.model import load_models
from orders_connector.status import Trust

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS) for page in DOCS.rglob("*.md"))
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build with warnings as errors: links, headings, and pages that are not in the navigation."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


def built_page(site, page):
    name = page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html")
    return site / name


class Shape(HTMLParser):
    """Counts what a reader sees as lists, tables, code and pictures."""

    COUNTED = ("ol", "ul", "li", "td", "pre", "h2", "h3", "img")

    def __init__(self, html, *, within=None):
        super().__init__()
        self.counts = dict.fromkeys(self.COUNTED, 0)
        self._within, self._inside = within, within is None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._inside = self._inside or tag == self._within
        if self._inside and tag in self.counts:
            self.counts[tag] += 1

    def handle_endtag(self, tag):
        if tag == self._within:
            self._inside = False


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_has_the_shape_that_it_has_in_the_repository(site, page):
    """Lists and fences that are indented too little fall apart in MkDocs, without a warning."""
    meant = MarkdownIt("commonmark").enable("table").render((DOCS / page).read_text("utf-8"))
    made = built_page(site, page).read_text("utf-8")
    assert Shape(made, within="article").counts == Shape(meant).counts


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_is_in_the_navigation(site, page):
    home = (site / "index.html").read_text("utf-8")
    navigation = re.search(r'<nav class="md-nav md-nav--primary.*?(?=<main|<article)', home, re.S)
    address = built_page(site, page).relative_to(site).as_posix()
    assert f'href="{address}"' in navigation[0]


def test_links_of_the_readme_into_the_pages_lead_somewhere():
    readme = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\((docs/[^)#]*)", readme):
        assert (ROOT / target).exists(), target


# --- nothing from elsewhere -----------------------------------------------------------------


def test_no_page_names_a_file_of_another_host(site):
    fetched = re.compile(r'<(?:script|img|iframe|source)[^>]*\ssrc="([^"]+)"|<link([^>]+)>')
    for page in site.rglob("*.html"):
        for source, link in fetched.findall(page.read_text("utf-8")):
            assert not source.startswith(("http:", "https:", "//")), page
            if 'rel="canonical"' not in link:
                assert not re.search(r'href="(https?:)?//', link), page


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no browser: apt-get install chromium-headless-shell")
    arguments = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=[WIDE, PHONE], ids=["wide", "phone"])
def page(browser, request):
    """A page of a browser; at the end there were no errors and no requests beyond the files."""
    problems = []
    with browser.new_context(viewport=request.param) as context:
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith(("file:", "blob:", "data:"))
                else problems.append(asked.url)
            ),
        )
        yield page
    assert problems == []


@pytest.mark.parametrize("name", ["index", "concepts", "data_dictionary"])
def test_diagrams_are_drawn(site, page, name):
    written = (DOCS / f"{name}.md").read_text("utf-8").count("```mermaid")
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_function(
        "count => document.querySelectorAll('div.mermaid').length == count", arg=written
    )
    heights = page.eval_on_selector_all("div.mermaid", "all => all.map(one => one.clientHeight)")
    assert min(heights) > 50
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "page too wide"


def test_a_large_diagram_is_small_until_it_is_clicked(site, page):
    page.goto((site / "data_dictionary.html").as_uri())
    drawing = page.locator("div.mermaid")
    page.wait_for_function("document.querySelector('div.mermaid')?.style.zoom < 1")
    drawing.click()
    assert drawing.evaluate("drawing => drawing.style.zoom") == "1"
    drawing.click()
    assert float(drawing.evaluate("drawing => drawing.style.zoom")) < 1


def test_search_finds_without_a_server(site, page):
    page.goto((site / "index.html").as_uri())
    if page.viewport_size == PHONE:
        page.click("label[for=__search][class*=button]")
    page.locator("input[name=query]").press_sequentially("quarantine_is_empty")
    page.wait_for_selector(".md-search-result__item")
    assert "Operations" in page.locator(".md-search-result__item").first.inner_text()


# --- what to do at 3 a.m. -------------------------------------------------------------------

OPERATIONS = (DOCS / "operations.md").read_text("utf-8")
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type)]
ERRORS = [kind for kind in ERRORS if issubclass(kind, errors.OrdersConnectorError)]


def section(heading):
    """Return the text below a heading of the page, up to the next one of its level."""
    assert len(re.findall(rf"^### {heading}", OPERATIONS, re.M)) == 1, heading
    below = re.split(rf"^### {heading}.*\n", OPERATIONS, flags=re.M)[1]
    return re.split(r"^##", below, flags=re.M)[0]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_each_error_is_in_the_section_of_its_exit_code(error):
    assert f"`{error.__name__}`" in section(f"Exit {error.exit_code}:")


def test_the_exit_codes_are_those_of_the_command_line():
    codes = set(re.findall(r"^\| (\d) \|", (DOCS / "cli.md").read_text("utf-8"), re.M))
    assert codes == set(re.findall(r"^### Exit (\d)", OPERATIONS, re.M))
    assert codes == {"0", *(str(error.exit_code) for error in ERRORS)}


@pytest.mark.parametrize("verdict", list(Trust), ids=str)
def test_each_verdict_has_a_section(verdict):
    assert section(f"status says {verdict.value.capitalize()}").strip()


def test_each_kind_of_check_of_models_is_told():
    table = OPERATIONS.split("\n## Checks of models")[1].split("\n## ")[0]
    rules = Check.model_fields["rule"].annotation.__args__
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == list(rules)


def test_each_check_and_sensor_of_dagster_has_a_section():
    """Those of models go by their kind."""
    shown = (ROOT / "tests" / "dagster" / "definitions.txt").read_text("utf-8")
    of_models = {check.name for model in load_models().values() for check in model.header.checks}
    checks = set(re.findall(r"^  check (\w+)", shown, re.M)) - of_models
    sensors = set(re.findall(r"^sensor (\w+)", shown, re.M))
    assert checks >= {"coverage_has_no_gap", "reconciled"}
    for name in checks | sensors:
        assert "**Do:**" in section(f"{name}$"), name


# --- the configuration ----------------------------------------------------------------------


def test_navigation_and_checks_of_links_cannot_be_left_out_quietly():
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, tag, node: tag)
    config = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Loader)  # a safe loader
    assert config["strict"] is True
    levels = {*config["validation"]["nav"].values(), *config["validation"]["links"].values()}
    assert levels == {"warn"}
    assert config["theme"]["font"] is False
