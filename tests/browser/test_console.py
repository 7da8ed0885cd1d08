"""The console as a person meets it: the board moves, the page assembles, the plan is a picture."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from gateway.local.client import HouseClient
from tests.kit import shop
from tests.kit.running_house import RunningHouse

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""An existing directory to keep pictures in, for a person to look at."""


async def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


async def watching(page: Page, sku: str) -> None:
    """The board remembers this variant, before the page itself can choose any."""
    await page.add_init_script(f"localStorage.setItem('galleria.board', {json.dumps(json.dumps([sku]))})")


async def test_the_board_shows_a_sale_made_at_a_register(
    page: Page, client: HouseClient, staff: str, house: RunningHouse
) -> None:
    sku = (await shop.some_variant(client, skip=9))["sku"]
    await shop.set_sellable(client, staff, sku, 30)
    store = next(level for level in await shop.levels(client, staff, sku) if level["location"]["kind"] == "STORE")
    await shop.adjust(client, staff, sku, store["location"]["id"], 5)
    await watching(page, sku)
    await page.goto(f"{house.house.gateway_url}/#stock")
    tile = page.locator(f"article[data-sku='{sku}']")
    number = tile.locator("output.number")
    await expect(number).to_have_text("35", timeout=15_000)
    await expect(page.locator("#link")).to_have_attribute("data-state", "live")
    await shop.sell_at_register(client, staff, sku, store["location"])
    await expect(number).to_have_text("34", timeout=15_000)
    await expect(page.locator(".ticker li").first).to_contain_text(sku)
    await keep(page, "stock-board")


async def test_the_board_sells_at_the_register_itself(page: Page, client: HouseClient, house: RunningHouse) -> None:
    sku = (await shop.some_variant(client, skip=10))["sku"]
    await watching(page, sku)
    await page.goto(f"{house.house.gateway_url}/#stock")
    tile = page.locator(f"article[data-sku='{sku}']")
    await expect(tile).to_be_visible(timeout=15_000)
    await tile.get_by_role("button", name="Sell one at the register").click()
    await expect(page.locator(".ticker li").first).to_contain_text(sku, timeout=15_000)


async def test_a_product_page_is_assembled_from_five_services(
    page: Page, client: HouseClient, house: RunningHouse
) -> None:
    product = (await shop.some_variant(client, skip=2))["product"]
    await page.goto(f"{house.house.gateway_url}/#product/{product['handle']}")
    await expect(page.locator("article.product h1")).to_have_text(product["title"], timeout=15_000)
    await expect(page.locator(".price")).to_contain_text("EUR")
    await expect(page.locator(".points").first).to_contain_text("points")
    await expect(page.locator(".stock .pill")).to_be_visible()
    await expect(page.locator(".notice")).to_have_count(0)
    await keep(page, "product-page")


async def test_the_explorer_draws_the_plan_and_runs_the_operation(page: Page, house: RunningHouse) -> None:
    await page.goto(f"{house.house.gateway_url}/#explorer")
    await page.get_by_label("Named operations").select_option("ProductPage")
    await expect(page.locator("svg.plan")).to_have_attribute(
        "aria-label", re.compile("[1-6] fetches in 3 rounds"), timeout=15_000
    )
    await keep(page, "explorer")
    await page.locator("svg.plan g.fetch").first.click()
    await expect(page.locator("pre.sent")).to_contain_text("query")
    await page.get_by_label("Operation", exact=True).fill("{ channels { code } }")
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("pre.result")).to_contain_text('"web-eu"')
    answer = json.loads(await page.locator("pre.result").inner_text())
    assert "errors" not in answer


async def test_a_plan_that_comes_late_does_not_replace_the_one_asked_for_after_it(
    page: Page, house: RunningHouse
) -> None:
    late = asyncio.Event()
    told = asyncio.Event()
    questions = 0

    async def hold_the_first(route: Route) -> None:
        nonlocal questions
        questions += 1
        if questions == 1:
            await late.wait()
            await route.continue_()
            told.set()
        else:
            await route.continue_()

    await page.route("**/plan", hold_the_first)
    await page.goto(f"{house.house.gateway_url}/#explorer")
    await page.get_by_label("Named operations").select_option("ProductPage")
    picture = page.locator("svg.plan")
    await expect(picture).to_be_visible(timeout=15_000)
    async with page.expect_response("**/plan"):
        late.set()
    await asyncio.wait_for(told.wait(), 10)
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("pre.result")).to_contain_text('"saffron-parka-1"', timeout=15_000)
    await expect(picture).to_be_visible()


async def test_the_page_loads_nothing_from_anywhere_else(page: Page, house: RunningHouse) -> None:
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url))
    await page.goto(f"{house.house.gateway_url}/")
    await expect(page.locator("#tabs a").first).to_be_visible(timeout=15_000)
    own = house.house.gateway_url
    assert [url for url in elsewhere if not url.startswith((own, "data:"))] == []
