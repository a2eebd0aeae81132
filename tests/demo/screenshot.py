"""Pictures of mitmweb and of the guided session, for people to look at."""

from __future__ import annotations

from pathlib import Path

from demo.browser import browser_path


def shoot(web: str, proxy_port: int, folder: Path) -> None:
    """Writes `mitmweb.png` and `session.png` into a folder."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 900})
        page.goto(web)
        page.wait_for_selector(".flow-table tr td")
        page.locator(".flow-table tbody tr", has_text="api/v2/pixel").first.click()
        page.wait_for_selector("text=consent then")
        page.screenshot(path=folder / "mitmweb.png")
        browser.close()
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox"], proxy={"server": f"http://127.0.0.1:{proxy_port}"}
        )
        page = browser.new_page(viewport={"width": 900, "height": 800})
        page.goto("http://pixelwitness.local/")
        page.screenshot(path=folder / "session.png")
        browser.close()
