#!/usr/bin/env python3
"""Opens a page of `clipnext eval report` or `clipnext report` in headless Chromium, light and dark, wide and on a phone.

    tools/check_report.py REPORT.html [SCREENSHOT_FOLDER]

Fails if the console says anything, the page asks for anything beside itself, is wider than the
screen, or its links and tables cannot be reached from the keyboard. Needs Debian's chromium and
chromium-driver, and selenium from PyPI. Look at the screenshots: they are what it is for.
"""
import base64
import json
import pathlib
import sys

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service

SCREENS = {"wide": (1200, 900), "phone": (390, 844)}


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def requests(driver, page):
    """What the page asked for beside itself and pictures within it."""
    asked = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith("data:") and url.split("#")[0] != page:
                asked.append(url)
    return asked


def reachable(driver):
    """Names of the elements that Tab stops at, in turn."""
    stops = []
    for _ in range(200):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        element = driver.switch_to.active_element
        if element.tag_name == "body" or element.id in (stop[1] for stop in stops):
            break
        stops.append((element.get_attribute("aria-label") or element.text, element.id))
    return [name for name, _ in stops]


def check(driver, page, name, size, scheme, folder):
    problems = []
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": name == "phone"})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    driver.get(page)
    width = driver.execute_script("return document.documentElement.scrollWidth")
    if width > size[0]:
        problems.append(f"is {width} pixels wide on a screen of {size[0]}")
    problems += [f"console: {entry['message']}" for entry in driver.get_log("browser")]
    problems += [f"asks for {url}" for url in requests(driver, page)]
    wanted = len(driver.find_elements(By.CSS_SELECTOR, "a, .scroll, summary"))
    hidden = len(driver.find_elements(By.CSS_SELECTOR, "details:not([open]) .scroll"))
    stops = reachable(driver)
    if len(stops) < wanted - hidden:
        problems.append(f"Tab stops {len(stops)} times, expected {wanted - hidden}")
    driver.execute_script("window.scrollTo(0, 0); document.activeElement.blur()")
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
    (folder / f"{name}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    return [f"{name}, {scheme}: {problem}" for problem in problems]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    page = pathlib.Path(sys.argv[1]).resolve().as_uri()
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    driver = browser()
    try:
        problems = []
        for name, size in SCREENS.items():
            for scheme in ("light", "dark"):
                problems += check(driver, page, name, size, scheme, folder)
    finally:
        driver.quit()
    print("\n".join(problems) or f"no problem; screenshots in {folder}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
