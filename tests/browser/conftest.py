"""A headless Chromium against the house of the stories; skipped, with the reason, where there is no Chromium."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from tests.kit.prerequisites import chromium, why_no_chromium
from tests.stories.conftest import client, house, staff

__all__ = ["client", "house", "staff"]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A fresh page whose script errors fail the test."""
    where = chromium()
    if where is None:
        pytest.skip(why_no_chromium())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=where, args=list(FLAGS))
        try:
            page = await browser.new_page(viewport={"width": 1400, "height": 950})
            problems: list[str] = []
            page.on("pageerror", lambda error: problems.append(str(error)))
            yield page
            assert problems == []
        finally:
            await browser.close()
