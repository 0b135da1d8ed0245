"""One visit to the page: what it shows, what it complained of, and whom it asked."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

PATIENCE = float(os.environ.get("TWOFOLD_TEST_PATIENCE", "30"))  # seconds for anything that the page waits for


def wait_until(page: Any, expression: str, pause: float = 50, patience: float = PATIENCE) -> None:
    """Wait until a JavaScript expression holds, for `patience` seconds, asking every `pause` milliseconds.

    Playwright's own way needs eval, which the page's policy forbids.
    """
    until = time.monotonic() + patience
    while not page.evaluate(expression):
        assert time.monotonic() < until, f"not within {patience:g} s: {expression}"
        page.wait_for_timeout(pause)


@dataclass
class Visit:
    """A page, what it complained of, and whom it asked."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    expected: tuple[str, ...] = ()

    def open(self, address: str = "") -> Any:
        """Show an address of the page, and wait until its view has said that it is there."""
        if self.page.url != "about:blank":
            self.page.goto("about:blank")  # a change of the address's hash alone would load nothing anew
        self.page.goto(f"{self.url}/{address}")
        self.shown()
        return self.page

    def shown(self) -> None:
        self.page.wait_for_selector(".view[data-shown]")

    def go(self, view: str) -> None:
        """Follow a link of the navigation."""
        self.page.click(f"nav a[data-view={view}]")
        self.page.wait_for_selector(f".view.{view}[data-shown]")
