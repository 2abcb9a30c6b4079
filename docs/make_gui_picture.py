"""Draw the picture of gui.md, from a run of the demo on the page: python docs/make_gui_picture.py."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).resolve().parent / "images" / "gui.png"


def main() -> None:
    """Open the demo, run it, and keep what the page shows then."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(dir="/tmp") as folder, sync_playwright() as running:
        words = [sys.executable, "-m", "snntoolbox", "gui", f"{folder}/my_folder", "--no-browser"]
        Path(folder, "my_folder").mkdir()
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 860})
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_role("button", name="Open the demo").click()
        page.get_by_text("x_test.npz").first.wait_for()
        page.get_by_role("tab", name="Run", exact=True).click()
        page.get_by_role("button", name="Start").click()
        page.get_by_text("run is done").wait_for()
        page.mouse.move(880, 850)
        page.wait_for_timeout(6000)  # what was told below is gone by then
        page.screenshot(path=TARGET)
        browser.close()
        server.send_signal(signal.SIGINT)
        server.wait(30)


if __name__ == "__main__":
    main()
