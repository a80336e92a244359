"""A headless Chromium over the DevTools protocol: what it complains about, asks the network for, and lays out."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
WAIT = 60.0


class Page:
    """One page of the browser; ``events`` is everything that it reported."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.number = socket, 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            found = json.loads(self.socket.recv())
            if found.get("id") == self.number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def open(self, path: Path, *, width: int = 1000, dark: bool = False) -> None:
        """Show a file in a window of a width, on a light or dark screen, and wait until it is there."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=1200, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        end = time.monotonic() + WAIT
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            assert time.monotonic() < end, "the page did not load"
            self.events.append(json.loads(self.socket.recv()))

    def run(self, script: str) -> Any:
        """Value of an expression in the page."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def press(self, key: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=9)

    def pdf(self) -> bytes:
        """The page as it prints, by its own rules for paper."""
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])

    def complaints(self) -> list[str]:
        """Errors of the console and of the log."""
        bad = [e for e in self.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")]
        bad += [e for e in self.events if e.get("method") == "Runtime.consoleAPICalled"]
        return [json.dumps(e["params"])[:300] for e in bad]

    def requests(self) -> list[str]:
        """Addresses that were asked for, without the file itself and what lies inside it."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        urls = [str(e["params"]["request"]["url"]) for e in sent]
        return [u for u in urls if not u.startswith("data:")][1:]


@contextmanager
def chromium() -> Iterator[Page]:
    """A page of a browser that is started for it; skips where there is none."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    websocket = pytest.importorskip("websocket")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        log = Path(home) / "log"
        with log.open("w") as stream:
            process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={home}/user", "about:blank"], stderr=stream)
        try:
            end, address = time.monotonic() + WAIT, None
            while address is None:
                assert time.monotonic() < end, "the browser did not start"
                assert process.poll() is None, log.read_text()[-500:]
                time.sleep(0.1)
                address = re.search(r"ws://[^\s]+", log.read_text())
            browser = websocket.create_connection(address.group(0), timeout=WAIT)
            browser.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            targets: list[dict[str, Any]] = []
            while not targets:
                reply = json.loads(browser.recv())
                targets = [t for t in reply.get("result", {}).get("targetInfos", []) if t["type"] == "page"]
            where = address.group(0).partition("/devtools/")[0]
            socket = websocket.create_connection(f"{where}/devtools/page/{targets[0]['targetId']}", timeout=WAIT)
            yield Page(socket)
            socket.close()
            browser.close()
        finally:
            process.terminate()
            process.wait(WAIT)
