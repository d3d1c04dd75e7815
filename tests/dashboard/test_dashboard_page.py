"""The page in a browser, as a person sees it; its figures are those of SQL on the copy."""

import csv
import json
import os
import re
import shutil
from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from orders_connector.dashboard.cube import read_cube
from tests.dashboard.hostile_names import FORMULA, HOSTILE

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
WHOLE_THROUGH = date(2026, 7, 31)  # the sandboxes stand at noon of the first of August
expect.set_options(timeout=30_000)  # other tests run beside
WIDE, PHONE = {"width": 1360, "height": 900}, {"width": 390, "height": 844}


# The loads run event loops of their own, which must be over before Playwright's begins.
@pytest.fixture(scope="module")
def browser(shops, vendor_only, nothing_sold):
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


@pytest.fixture
def show(browser):
    """Open a page; at the end there were no errors and no requests beyond the file."""
    problems, contexts = [], []

    def opened(house, address="", *, viewport=WIDE, scheme="light"):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith(("file:", "blob:")) else problems.append(asked.url)
            ),
        )
        page.goto(house.page.as_uri() + address)
        page.wait_for_selector("html[data-drawn]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def figures(page):
    """The key figures in minor units, orders or shares; None for what is not known."""
    read = page.eval_on_selector_all(
        ".card", "cards => cards.map(c => [c.id, c.querySelector('.value').dataset.value])"
    )
    return {name.removeprefix("figure-"): float(value) if value else None for name, value in read}


def summed(house, currency, start, end, condition="true"):
    """The same, by SQL on the published copy."""
    ((net, placed, recognised, discounts, gross, cancelled),) = house.ask(
        f"""
        select coalesce(sum(net_minor) filter (where orders_recognised > 0), 0),
            coalesce(sum(orders), 0), coalesce(sum(orders_recognised), 0),
            coalesce(sum(discounts_minor) filter (where orders_recognised > 0), 0),
            coalesce(sum(gross_minor) filter (where orders_recognised > 0), 0),
            coalesce(sum(orders) filter (where status = 'cancelled'), 0)
        from marts.daily_status
        where currency = $currency and order_date between $start and $end and {condition}
        """,
        {"currency": currency, "start": start, "end": end},
    )
    return {
        "net-revenue": net,
        "orders": placed,
        "average-order": (2 * net + recognised) // (2 * recognised) if recognised else None,
        "discounts": discounts,
        "discount-rate": pytest.approx(discounts / gross) if gross else None,
        "cancellations": cancelled,
    }


def days_back(days):
    return WHOLE_THROUGH - timedelta(days=days - 1), WHOLE_THROUGH


@pytest.mark.parametrize(
    ("address", "currency", "period", "condition"),
    [
        ("", "EUR", days_back(90), "true"),
        ("#period=12m&currency=USD", "USD", days_back(365), "true"),
        ("#period=year", "EUR", (date(2026, 1, 1), WHOLE_THROUGH), "true"),
        ("#period=all", "EUR", (date(2025, 1, 1), date(2026, 8, 1)), "true"),
        (
            "#from=2026-02-10&to=2026-05-03&status=paid,cancelled&grain=day",
            "EUR",
            (date(2026, 2, 10), date(2026, 5, 3)),
            "status in ('paid', 'cancelled')",
        ),
        ("#source=ultracart&period=12m", "USD", days_back(365), "source = 'ultracart'"),
    ],
    ids=["usual", "dollars", "year", "all", "own period and statuses", "one source"],
)
def test_key_figures_are_those_of_sql(show, shops, address, currency, period, condition):
    found = figures(show(shops, address))
    assert found == summed(shops, currency, *period, condition)
    assert found["orders"] > 0


def test_without_a_choice_of_statuses_they_are_those_of_daily_revenue(show, shops):
    found = figures(show(shops, "#period=12m"))
    ((net, placed, cancelled, discounts),) = shops.ask(
        "select sum(net_revenue_minor), sum(orders_placed), sum(orders_cancelled),"
        " sum(discounts_minor) from marts.daily_revenue"
        " where currency = 'EUR' and order_date between $start and $end",
        dict(zip(("start", "end"), days_back(365), strict=True)),
    )
    names = ("net-revenue", "orders", "cancellations", "discounts")
    assert [found[name] for name in names] == [net, placed, cancelled, discounts]


def test_changes_are_against_the_days_before_and_a_year_ago(show, shops):
    page = show(shops, "#period=30d")
    now = summed(shops, "EUR", *days_back(30))["orders"]
    shown = page.locator("#figure-orders dd").all_inner_texts()
    for days, text in zip((30, 364), shown, strict=True):
        start, end = (day - timedelta(days=days) for day in days_back(30))
        before = summed(shops, "EUR", start, end)["orders"]
        assert f"{abs(now - before) / before:.1%}" in text
    late = show(shops, "#period=12m").locator("#figure-orders dd").all_inner_texts()
    assert late == ["no data", "no data"]


def test_every_table_of_the_cube_adds_up_to_its_mart(shops):
    cube = read_cube(shops.settings.warehouse.published, {}, {})
    sums = {
        ("discounts", "order_level_discount"): "daily_discounts.order_level_discount_minor",
        ("customers", "new_customers"): "daily_customers.new_customers",
        ("funnel", "orders_ever_recognised"): "daily_funnel.orders_ever_recognised",
        ("durations", "stays"): "status_durations.stays",
        ("licenses", "licenses"): "daily_licenses.licenses",
        ("promotions", "discounts"): "daily_promotions.discount_minor",
        ("products", "net"): "daily_products.net_revenue_minor",
        ("orders", "net"): "daily_revenue.net_revenue_minor",
        ("orders", "recognised"): "daily_revenue.orders_recognised",
    }
    for (table, measure), column in sums.items():
        mart, name = column.split(".")
        ((expected,),) = shops.ask(f"select sum({name}) from marts.{mart}")
        assert sum(v or 0 for v in cube["tables"][table]["rows"][measure]) == expected, column
        steps = cube["tables"][table]["rows"]["day"]
        ((last,),) = shops.ask(f"select max(order_date) from marts.{mart}")
        assert date.fromisoformat(cube["first_day"]) + timedelta(days=sum(steps)) == last, mart


def test_products_beyond_the_limit_become_one_row_a_day(shops, monkeypatch):
    monkeypatch.setattr("orders_connector.dashboard.cube.MOST_PRODUCT_ROWS", 200)
    products = read_cube(shops.settings.warehouse.published, {}, {})["tables"]["products"]
    ((net,),) = shops.ask("select sum(net_revenue_minor) from marts.daily_products")
    assert sum(v or 0 for v in products["rows"]["net"]) == net
    further = products["values"]["product"].index("further:")
    places = [at for at, place in enumerate(products["rows"]["product"]) if place == further]
    assert 0 < len(products["rows"]["product"]) - len(places) <= 200
    assert {products["rows"]["orders"][at] for at in places} == {None}


def test_the_address_holds_the_choices(show, shops):
    page = show(shops)
    page.get_by_role("button", name="12 months").click()
    page.get_by_role("button", name="UltraCart").click()
    page.get_by_role("button", name="fulfilled", exact=True).click()
    page.get_by_label("Step", exact=True).select_option("month")
    page.get_by_role("button", name="by status", exact=True).click()
    address = "#" + page.url.split("#")[1]
    assert set(address[1:].split("&")) == {
        "period=12m",
        "source=ultracart",
        "status=fulfilled",
        "grain=month",
        "split=status",
    }
    assert page.evaluate("document.activeElement.textContent") == "by status"
    again = show(shops, address)
    assert figures(again) == figures(page)
    assert again.get_by_role("button", name="UltraCart").get_attribute("aria-pressed") == "true"
    again.get_by_role("button", name="Reset").click()
    assert figures(again) == figures(show(shops, "#split=status"))
    start = page.get_by_label("From", exact=True)
    start.fill("2026-06-01")
    expect(page.locator(".summary strong")).to_have_text("Jun 1, 2026 to Jul 31, 2026")
    start.focus()
    page.keyboard.type("07042025")
    page.keyboard.press("Enter")
    expect(page.locator(".summary strong")).to_have_text("Jul 4, 2025 to Jul 31, 2026")


def test_an_address_with_nonsense_shows_the_usual(show, shops):
    nonsense = "#period=eternity&source=nobody&currency=ZZZ&from=2026-13-45&to=x&status=%3Cb%3E"
    assert figures(show(shops, nonsense)) == figures(show(shops))


def test_currencies_are_not_added_and_the_others_are_told(show, shops):
    page = show(shops)
    told = page.locator(".others").inner_text()
    dollars = summed(shops, "USD", *days_back(90))
    assert f"{dollars['net-revenue'] / 100:,.2f} USD" in told
    page.get_by_role("button", name=re.compile("USD, ")).click()
    assert figures(page) == dollars


def test_steps_that_are_not_whole_are_pale_and_told(show, shops):
    page = show(shops, "#from=2026-07-15&to=2026-08-01&grain=week")
    page.locator("#revenue summary").click()
    lines = page.locator("#revenue tbody tr")
    expect(lines).to_have_count(3)
    rows = lines.all_inner_texts()
    whole = {row.split("\t")[0]: row.split("\t")[1] for row in rows}
    assert whole == {"2026-07-13": "no", "2026-07-20": "yes", "2026-07-27": "no"}
    opacities = page.eval_on_selector_all(
        "#revenue svg path", "paths => paths.map(p => p.getAttribute('fill-opacity'))"
    )
    assert opacities.count("0.35") == 2


def test_charts_begin_with_the_step_of_the_first_order(show, shops):
    page = show(shops, "#from=2025-01-01&to=2025-07-31&grain=month")
    page.locator("#revenue summary").click()
    lines = page.locator("#revenue tbody tr")
    expect(lines).to_have_count(2)
    assert [row.split("\t")[0] for row in lines.all_inner_texts()] == ["2025-06-01", "2025-07-01"]


def test_each_figure_explains_itself_to_keyboard_and_pointer(show, shops):
    page = show(shops)
    button = page.get_by_role("button", name="What is Net revenue?").first
    button.focus()
    tip = page.locator(f"#{button.get_attribute('aria-describedby')}")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("Recognised revenue after discounts")
    expect(tip).to_contain_text("marts.daily_revenue")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.locator("#figure-orders .info").hover()
    expect(page.locator("#figure-orders .tip")).to_be_visible()


def downloaded(page, name):
    with page.expect_download() as download:
        page.locator(f'[data-csv="{name}"]').click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_figures_can_be_taken_away(show, shops):
    page = show(shops)
    rows = downloaded(page, "figures")
    period = "May 3, 2026 to Jul 31, 2026"
    assert round(float(rows[0][period]) * 100) == figures(page)["net-revenue"]
    steps = downloaded(page, "revenue")
    assert round(sum(float(row["Voucherify (EUR)"]) for row in steps) * 100) == round(
        figures(page)["net-revenue"]
    )


def test_names_from_outside_are_only_text(show, shops):
    assert "<img" not in shops.page.read_text(encoding="utf-8").split("</style>")[1]
    page = show(shops, "#period=30d")
    for panel in ("products", "promotions"):
        assert HOSTILE in page.locator(f"#{panel} tbody").inner_text()
        (first, *_) = [row for row in downloaded(page, panel) if FORMULA in str(row)]
        assert next(iter(first.values())) == "'" + FORMULA
    assert page.locator("img").count() == 0
    assert page.title() == "Orders"


def test_all_panels_are_drawn(show, shops):
    page = show(shops, "#period=all")
    drawn = page.locator(".panel:visible")
    assert drawn.count() == 14
    for panel in drawn.all():
        name = panel.get_attribute("id")
        assert panel.locator("svg path, table, .empty").count() > 0, name
        assert panel.locator(".empty").count() == 0 or name == "restatements"
    described = page.locator(".chart").evaluate_all(
        "charts => charts.map(c => c.getAttribute('aria-label'))"
    )
    assert all(described)


def test_a_source_without_money_says_why_there_is_no_revenue(show, vendor_only):
    page = show(vendor_only, "#period=all")
    found = figures(page)
    ((placed, issued, trials, licenses),) = vendor_only.ask(
        "select sum(orders_placed), sum(issued_orders), sum(trial_orders), sum(licenses)"
        " from marts.daily_licenses"
    )
    assert found["orders"] == placed
    assert {value for name, value in found.items() if name != "orders"} == {None}
    expect(page.locator("#revenue")).to_contain_text("LicenseSpring knows no amounts")
    expect(page.locator("#licenses")).to_contain_text(f"{issued:,} orders and {trials:,} trials")
    expect(page.locator("#license-states")).to_contain_text(f"{licenses:,}")
    expect(page.locator("#discounts")).to_be_hidden()


def test_an_empty_warehouse_says_what_to_do(show, nothing_sold):
    page = show(nothing_sold)
    expect(page.locator("#figures")).to_contain_text("No orders yet")
    expect(page.locator("#data tbody")).to_contain_text("shop")
    assert page.locator(".card").count() == 0


def test_themes_follow_the_system_and_the_button(show, shops):
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = show(shops), show(shops, scheme="dark")
    assert light.evaluate(background) != dark.evaluate(background)
    fills = "document.querySelector('#revenue svg text').getAttribute('fill')"
    assert light.evaluate(fills) != dark.evaluate(fills)
    light.locator("#theme").click()
    light.locator("#theme").click()
    assert light.url.endswith("#theme=dark")
    light.wait_for_selector("html[data-drawn]")
    assert light.evaluate(background) == dark.evaluate(background)
    assert light.evaluate(fills) == dark.evaluate(fills)


def test_paper_is_light_and_has_no_filters(show, shops):
    page = show(shops, "#theme=dark")
    screen = page.evaluate("document.querySelector('#revenue svg text').getAttribute('fill')")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#filters").is_hidden()
    printed = page.evaluate("document.querySelector('#revenue svg text').getAttribute('fill')")
    assert printed != screen
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_selector("html[data-drawn]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_phone_needs_no_scrolling_sideways(show, shops):
    page = show(shops, "#period=12m", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_scan_for_accessibility_finds_nothing_serious(show, shops, scheme, viewport):
    page = show(shops, viewport=viewport, scheme=scheme)
    found = Axe().run(page).response["violations"]
    told = [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]
    assert json.dumps(told, indent=1) == "[]"
