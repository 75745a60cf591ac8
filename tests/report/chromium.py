"""A headless Chromium that is told what to do: keys, touches, downloads, by its own protocol.

Its commands go through a pipe (--remote-debugging-pipe: JSON ended by a zero byte), so nothing
listens on a port.
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

from screenshot import FLAGS, browser

# {key: (code, number)} as a keyboard gives them
KEYS = {
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowRight": ("ArrowRight", 39),
    "ArrowDown": ("ArrowDown", 40),
    "Backspace": ("Backspace", 8),
    " ": ("Space", 32),
}


class Chromium:
    """One page of a browser. `complaints` are what its console said."""

    def __init__(self, to, of):
        self.to, self.of, self.number, self.waiting = to, of, 0, b""
        self.complaints, self.session = [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """The answer to a command; events that come meanwhile are looked through."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            found = self.read()
            if found.get("id") == self.number:
                assert "error" not in found, found
                return found["result"]
            self.notice(found)

    def read(self, seconds=60):
        end = time.monotonic() + seconds
        while b"\0" not in self.waiting:
            ready, _, _ = select.select([self.of], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            self.waiting += os.read(self.of, 1 << 20)
        message, _, self.waiting = self.waiting.partition(b"\0")
        return json.loads(message)

    def notice(self, event):
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        if method == "Network.requestWillBeSent":
            address = parameters["request"]["url"]
            if not address.startswith(("file:", "data:", "blob:", "about:")):
                self.complaints.append(f"asks for {address}")

    def open(self, path, width=1280, height=900):
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def value(self, expression):
        """What JavaScript gives in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression, seconds=60):
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"waited in vain for {expression}"
            time.sleep(0.05)

    def press(self, key):
        code, number = KEYS[key]
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        text = {"text": key} if key == " " else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def touch(self, selector):
        """Tap the middle of an element."""
        where = f"document.querySelector({selector!r})"
        self.value(f"{where}.scrollIntoView({{block: 'center'}})")
        box = self.value(f"JSON.stringify({where}.getBoundingClientRect())")
        box = json.loads(box)
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def download(self, folder, act):
        """The file that comes into a folder when `act` is called."""
        before = set(folder.iterdir())
        self.ask("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        act()
        end = time.monotonic() + 60
        while True:
            found = [p for p in set(folder.iterdir()) - before if p.suffix != ".crdownload"]
            if found and found[0].stat().st_size:
                return found[0]
            assert time.monotonic() < end, "no file came"
            self.value("0")
            time.sleep(0.05)


@contextlib.contextmanager
def running():
    """A Chromium with nothing in its memory."""
    to_read, to = os.pipe()
    of, of_write = os.pipe()

    def ends():
        # the browser reads from 3 and writes to 4; these may be in the way of each other
        ours, theirs = os.dup(to_read), os.dup(of_write)
        os.dup2(ours, 3)
        os.dup2(theirs, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser(), *FLAGS, f"--user-data-dir={profile}", "--touch-events=enabled"]
        process = subprocess.Popen(
            [*command, "--remote-debugging-pipe", "about:blank"],
            preexec_fn=ends,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(of_write)
        try:
            yield Chromium(to, of)
        finally:
            process.terminate()
            process.wait(60)
            os.close(to)
            os.close(of)
