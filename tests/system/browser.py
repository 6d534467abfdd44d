"""A headless Chromium, driven by the WebDriver protocol: what a person does, and sees."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.system.waiting import wait_for

#: The size of the window, in pixels.
WIDTH, HEIGHT = 1360, 900
_SECONDS = 120
#: By which the protocol names an element.
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_OPTIONS = {
    # root has no sandbox, and a container little shared memory
    "args": [
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
        f"--window-size={WIDTH},{HEIGHT}",
    ],
}


class Browser:
    """A window of the browser.

    :param driver: the address of chromedriver
    """

    def __init__(self, driver: str) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._at = f"{driver}/session"
        wanted = {"browserName": "chrome", "goog:chromeOptions": _OPTIONS}
        told = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._at += f"/{told['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._http.request(method, self._at + path, json=body, timeout=_SECONDS)
        value = answer.json()["value"]
        assert answer.ok, value
        return value

    def close(self) -> None:
        """End the browser."""
        self._ask("DELETE", "")

    def open(self, address: str) -> None:
        """Go to an address, and wait until the page is loaded."""
        self._ask("POST", "/url", {"url": address})

    @property
    def address(self) -> str:
        """Where the browser is."""
        return str(self._ask("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page, and return its result."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def texts(self, selector: str) -> list[str]:
        """Return the text that a person reads in all elements of a CSS selector."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText.trim())"
        )
        return list(self.run(script, selector))

    def text(self, selector: str) -> str:
        """Return the text that a person reads in the one element of a CSS selector."""
        (text,) = self.texts(selector)
        return text

    def click(self, selector: str) -> None:
        """Click an element as a mouse does: hidden or covered, it cannot be clicked."""
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into an element, in place of its text."""
        element = self._find(selector)
        self._ask("POST", f"/element/{element}/clear", {})
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def press(self, selector: str, keys: str) -> None:
        """Press keys in an element, by the protocol's code points."""
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": keys})

    def is_enabled(self, selector: str) -> bool:
        """Whether an element can be used."""
        return bool(self._ask("GET", f"/element/{self._find(selector)}/enabled"))

    def _find(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def picture(self, file: Path) -> None:
        """Take a picture of the whole page."""
        height = self.run("return document.documentElement.scrollHeight")
        self._resize(max(HEIGHT, min(int(height) + 150, 4000)))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))
        finally:
            self._resize(HEIGHT)

    def _resize(self, height: int) -> None:
        self._ask("POST", "/window/rect", {"width": WIDTH, "height": height})


@contextmanager
def opened(driver: str) -> Iterator[Browser]:
    """Have a browser while the block runs.

    :param driver: the address of chromedriver, which may still start
    """

    def listens() -> bool:
        try:
            return bool(requests.get(f"{driver}/status", timeout=5).json()["value"]["ready"])
        except requests.ConnectionError:
            return False

    wait_for("chromedriver", listens, 60)
    browser = Browser(driver)
    try:
        yield browser
    finally:
        browser.close()
