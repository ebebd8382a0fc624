"""The site as a reader meets it, in headless Chromium."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.leaderboard.site.made_up_boards import METRICS, made_up_board
from tests.leaderboard.site.test_site_pages import evil_board
from unipath_bench.leaderboard.site import build_site

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
MANY = 200


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        # Chromium's sandbox needs privileges that containers lack; every page here is our own
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    boards = [made_up_board(12), made_up_board(MANY, "many")]
    return build_site(boards, tmp_path_factory.mktemp("built") / "site").parent


class Reader:
    """A page of the site, and all that it asked for or complained of."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def open(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        return self.page

    def column(self, number: int) -> list[str]:
        """The values that the rows shown are sorted by, from above."""
        script = """n => [...document.querySelectorAll('#standings tbody tr:not([hidden])')]
            .map(row => row.cells[n].dataset.v ?? row.cells[n].textContent.trim())"""
        found: list[str] = self.page.evaluate(script, number)
        return found

    def shown(self) -> str:
        text: str = self.page.inner_text("#shown")
        return text


@pytest.fixture
def reader(browser: Any, request: pytest.FixtureRequest) -> Iterator[Reader]:
    options = {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}
    opened = Reader(browser, **options)
    yield opened
    opened.context.close()
    assert opened.complaints == []
    assert all(url.startswith("file://") for url in opened.asked)


def test_sort_by_a_column_best_first_then_worst_first(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    assert page.locator("#standings thead button").count() == 3 + len(METRICS)
    for column, best in ((3, "ascending"), (6, "descending")):  # lower is better, higher is better
        button = page.locator("#standings thead th").nth(column).locator("button")
        button.click()
        values = [float(x) for x in reader.column(column)]
        assert values == sorted(values, reverse=best == "descending")
        assert page.locator("#standings thead th").nth(column).get_attribute("aria-sort") == best
        button.focus()
        page.keyboard.press("Enter")
        assert [float(x) for x in reader.column(column)] == sorted(values, reverse=best == "ascending")
        assert page.locator("#standings thead th[aria-sort]").count() == 1
    assert "sorted by Recall@10, ascending" in reader.shown()


def test_what_has_no_value_stays_last(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    last = 2 + len(METRICS)
    for _ in range(2):
        page.locator("#standings thead th").nth(last).locator("button").click()
        values = reader.column(last)
        assert [v.endswith("not computed") for v in values] == [False] * 9 + [True] * 3
    page.locator("#standings thead th").nth(1).locator("button").click()
    titles = reader.column(1)
    assert titles == sorted(titles)


def test_filter_by_words_licence_and_status(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    assert reader.shown() == "12 of 12 entries shown"
    page.fill("#words", "MODEL v2")
    assert len(reader.column(1)) == 6
    page.select_option("#licence", "MIT")
    assert set(reader.column(1)) == {"Model 001, release 2", "Model 003, release 2", "Model 005, release 2"}
    page.select_option("#status", "unranked")
    assert reader.column(1) == ["Model 005, release 2"]
    assert reader.shown() == "1 of 12 entries shown"
    page.fill("#words", "no such model")
    assert reader.column(1) == []
    assert page.is_visible("#none")
    page.fill("#words", "")
    page.select_option("#licence", "")
    for status, count in (("ranked", 9), ("unranked", 3), ("stale", 1), ("ineligible", 1), ("eligible", 11), ("", 12)):
        page.select_option("#status", status)
        assert len(reader.column(1)) == count, status


def test_open_a_model_and_go_back(reader: Reader, site: Path) -> None:
    page = reader.open(site / "index.html")
    page.click("text=Made-up tissue board >> nth=0")
    title = page.inner_text("#standings tbody th a >> nth=0")
    page.click("#standings tbody th a >> nth=0")
    assert page.inner_text("h1").startswith(title)
    assert page.locator("svg.radar").is_visible()
    assert page.locator(".bars svg").count() > 5
    page.click("summary >> text=Environment")
    assert page.is_visible("text=Linux-6.1-x86_64")
    page.click("nav.crumbs a >> nth=1")
    assert page.is_visible("#standings")


def test_the_skip_link_comes_first(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"


@pytest.mark.parametrize("reader", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_light_and_dark_by_preference_and_by_hand(reader: Reader, site: Path) -> None:
    def ground() -> int:
        return int(reader.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))

    page = reader.open(site / "index.html")
    preferred = ground()
    page.click("#theme")
    assert page.inner_text("#theme") == "Theme: light"
    assert ground() > 200
    page.click("#theme")
    assert page.inner_text("#theme") == "Theme: dark"
    assert ground() < 60
    page.click("text=Made-up tissue board >> nth=0")
    assert page.inner_text("#theme") == "Theme: dark"  # remembered from page to page
    assert ground() < 60
    page.click("#theme")
    assert ground() == preferred


@pytest.mark.parametrize("reader", [{"viewport": {"width": 390, "height": 844}, "has_touch": True}], indirect=True)
def test_on_a_phone_nothing_is_wider_than_the_screen(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    width = "document.documentElement.scrollWidth"
    frame = "document.getElementById('standings').parentElement"
    table = f"{frame}.scrollWidth - {frame}.clientWidth"
    assert page.evaluate(width) <= 390
    assert page.evaluate(table) <= 0  # rank, model and the headline metric
    assert page.locator("#standings thead th:visible").count() == 3
    assert page.inner_text("#standings thead th:visible >> nth=2").startswith("Fréchet distance")
    page.select_option("#column", label="Attribute control")
    assert page.inner_text("#standings thead th:visible >> nth=2").startswith("Attribute control")
    page.select_option("#column", "all")
    assert page.locator("#standings thead th:visible").count() == 3 + len(METRICS)
    assert page.evaluate(width) <= 390  # the table scrolls in its frame
    page.click("#standings tbody th a >> nth=0")
    assert page.evaluate(width) <= 390


@pytest.mark.parametrize("reader", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_the_table_is_read_as_it_is(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    assert page.locator("#standings tbody tr").count() == 12
    assert not page.is_visible(".controls")
    assert not page.is_visible("#theme")


def test_a_screenshot_shows_a_page(reader: Reader, site: Path) -> None:
    page = reader.open(site / "made-up" / "index.html")
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    assert shot.shape == (900, 1280, 3)
    assert len(np.unique(shot.reshape(-1, 3), axis=0)) > 50


def test_two_hundred_entries_stay_usable(reader: Reader, site: Path) -> None:
    page = reader.open(site / "many" / "index.html")
    assert reader.shown() == f"{MANY} of {MANY} entries shown"
    timed = """() => { const began = performance.now();
        document.querySelectorAll('#standings thead button')[4].click();
        document.body.getBoundingClientRect();
        return performance.now() - began; }"""
    assert page.evaluate(timed) < 2000
    page.locator("#standings").evaluate("table => { table.parentElement.scrollTop = 3000; }")
    # the header stays in sight while the rows scroll
    assert page.evaluate(
        "document.querySelector('#standings thead th').getBoundingClientRect().top"
        " - document.getElementById('standings').parentElement.getBoundingClientRect().top"
    ) == pytest.approx(0, abs=2)


def test_hostile_names_run_nothing(reader: Reader, tmp_path: Path) -> None:
    root = build_site([evil_board()], tmp_path / "site").parent
    for path in sorted(root.rglob("*.html")):
        page = reader.open(path)
        assert page.locator("img").count() == 0
        assert "alert(1)" in page.inner_text("body")
