"""The HTML report opened from disk in headless Chromium: quiet, offline, filtering, readable on every screen."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from fixtures.browser.chromium import FLAGS
from fixtures.newsroom import archive, newspaper, report
from fixtures.patience import PATIENCE
from mediamirror.report.html import write_html

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
    "small phone": {"viewport": {"width": 320, "height": 568}, "color_scheme": "dark", "device_scale_factor": 2},
}


@dataclass
class Sheet:
    """A report in a tab, with everything that it said and asked for."""

    page: Page
    folder: Path
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def shown(self) -> list[str]:
        return await self.page.locator("article.card:visible h3").all_inner_texts()

    async def status(self) -> str:
        return await self.page.locator("#shown").inner_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(executable: str) -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        flags = [*FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND"]
        browser = await driver.chromium.launch(executable_path=executable, args=flags)
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_html(tmp_path_factory.mktemp("newspaper"), newspaper()).parent


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_html(tmp_path_factory.mktemp("archive"), report(tuple(archive(70))), per_page=20).parent


async def sheet(browser: Browser, folder: Path, screen: str = "desktop", *, address: str = "index.html") -> Sheet:
    context = await browser.new_context(**SCREENS[screen])  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE * 1000)
    opened = Sheet(await context.new_page(), folder)
    opened.page.on("console", lambda message: opened.said.append(message.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    context.on("request", lambda request: opened.asked.append(request.url))
    await opened.page.goto(f"{folder.as_uri()}/{address}")
    return opened


async def show_pictures(page: Page) -> None:
    await page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    await page.wait_for_function("Array.from(document.images).every(image => image.complete)")


@pytest.mark.parametrize("screen", SCREENS)
async def test_it_opens_from_disk_without_a_word_a_request_or_a_sideways_scroll(
    browser: Browser, folder: Path, screen: str
) -> None:
    opened = await sheet(browser, folder, screen)
    await show_pictures(opened.page)
    widths = await opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    shots = os.environ.get("MEDIAMIRROR_SCREENSHOTS")
    if shots:
        await opened.page.screenshot(path=Path(shots) / f"report-{screen.replace(' ', '-')}.png", full_page=True)
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith(folder.as_uri())] == []
    assert widths[0] == widths[1]
    assert await opened.page.evaluate("Array.from(document.images).filter(i => !i.naturalWidth).length") == 0
    await opened.page.context.close()


@pytest.mark.parametrize("screen", ["desktop", "dark"])
async def test_it_is_accessible_by_the_rules_of_axe(browser: Browser, folder: Path, screen: str) -> None:
    opened = await sheet(browser, folder, screen)
    await opened.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    results = await Axe().run(opened.page)
    told = [
        (v["id"], node["target"], node.get("failureSummary"))
        for v in results.response["violations"]
        for node in v["nodes"]
    ]
    assert told == []
    assert {"color-contrast", "image-alt", "heading-order"} <= {rule["id"] for rule in results.response["passes"]}
    await opened.page.context.close()


async def test_hostile_text_runs_nothing(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder)
    hostile = opened.page.locator("article.card").last
    assert (await hostile.locator("h3").inner_text()).startswith('"><img src=x onerror=alert(1)><script>')
    assert await hostile.locator("a[href^='javascript']").count() == 0
    assert await opened.page.locator("script").count() == 1
    assert opened.said == []
    await opened.page.context.close()


async def test_the_search_box_finds_words_in_any_order_and_clears(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder)
    await opened.page.keyboard.press("/")
    await opened.page.keyboard.type("BOATS fishing")
    assert await opened.shown() == ["Fishing boats in the harbour at dawn, seen from the old lighthouse"]
    assert await opened.status() == "1 of 7 images"
    await opened.page.fill("#search", "no such words")
    assert await opened.shown() == []
    assert await opened.page.locator("#none").is_visible()
    await opened.page.click("#clear")
    assert len(await opened.shown()) == 7
    await opened.page.context.close()


async def test_severity_filters_work_alone_and_together_with_a_rule(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder)
    page = opened.page
    await page.get_by_label("warnings").check()
    assert await opened.shown() == ["The night ferry leaves the island"]
    await page.get_by_label("sound").check()
    assert len(await opened.shown()) == 3
    await page.get_by_label("warnings").uncheck()
    await page.get_by_label("sound").uncheck()
    await page.select_option("#rule", "MM305")
    assert await opened.shown() == ["market-400.webp"]
    await page.get_by_label("notes").check()
    assert await opened.shown() == []
    await page.context.close()


async def test_a_rule_of_the_overview_filters_by_one_click(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder)
    await opened.page.get_by_role("button", name="Show the images with MM201").click()
    assert await opened.shown() == ["The night ferry leaves the island"]
    await opened.page.context.close()


async def test_a_filter_survives_in_the_address(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder, address="index.html?show=note.warning&q=map")
    assert await opened.shown() == ["Weather map of the northern coast"]
    assert await opened.page.get_by_label("notes").is_checked()
    await opened.page.context.close()


async def test_filters_reach_the_other_pages(browser: Browser, many: Path) -> None:
    opened = await sheet(browser, many)
    page = opened.page
    await page.get_by_label("errors").check()
    assert await opened.status() == "10 of 70 images, 3 on this page"
    assert await page.locator("#elsewhere").inner_text() == "On other pages:page 2 (3)page 3 (3)page 4 (1)"
    await page.get_by_role("link", name="page 4 (1)").click()
    await page.wait_for_url("**/sets-004.html?show=error")
    assert await opened.status() == "10 of 70 images, 1 on this page"
    await page.get_by_role("link", name="Previous").first.click()
    await page.wait_for_url("**/sets-003.html?show=error")
    assert opened.said == []
    await page.context.close()


async def test_the_colours_can_be_turned(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder)
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = await opened.page.evaluate(background)
    await opened.page.get_by_role("button", name="Dark colours").click()
    dark = await opened.page.evaluate(background)
    assert (light, dark) == ("rgb(246, 244, 238)", "rgb(19, 21, 24)")
    await opened.page.get_by_role("button", name="Light colours").click()
    assert await opened.page.evaluate(background) == light
    await opened.page.context.close()


async def test_the_keyboard_reaches_everything_in_order(browser: Browser, folder: Path) -> None:
    opened = await sheet(browser, folder)
    await opened.page.keyboard.press("Tab")
    assert await opened.page.evaluate("document.activeElement.textContent") == "Skip to the images"
    await opened.page.keyboard.press("Enter")
    assert await opened.page.evaluate("document.activeElement.id") == "sets"
    await opened.page.keyboard.press("Tab")
    assert await opened.page.evaluate("document.activeElement.id") == "search"
    await opened.page.context.close()


async def test_without_script_everything_is_shown_and_no_control_is_dead(browser: Browser, folder: Path) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{folder.as_uri()}/index.html")
    assert await page.locator("article.card:visible").count() == 7
    assert await page.locator("button:visible, input:visible, select:visible").count() == 0
    await context.close()


async def test_print_opens_the_lists_and_leaves_out_the_controls(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    opened = await sheet(browser, folder)
    await opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    await opened.page.emulate_media(media="print")
    assert await opened.page.locator("details[open]").count() == 7
    assert await opened.page.locator("#filters").is_visible() is False
    await opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert await opened.page.locator("details[open]").count() == 0
    pdf = await opened.page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert pdf.startswith(b"%PDF")
    await opened.page.context.close()
