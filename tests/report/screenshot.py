"""Look at a page with headless Chromium: pictures of it, and what is wrong with it.

    python tests/report/screenshot.py results/report.html [FOLDER]

writes wide.png (1280 px) and phone.png (390 px) into FOLDER (default: beside the page) and exits
with 1 and a list where a picture is broken, the console has an error, something is asked from
the network, or the page is wider than the screen.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MISSING = "the page needs a browser: install Chromium (Debian: apt-get install chromium)"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--allow-file-access-from-files", "--hide-scrollbars", "--host-resolver-rules=MAP * 0.0.0.0"),
)
WIDTHS = {"wide": 1280, "phone": 390}
TALLEST = 16_000  # pixels: Chromium's limit for one picture

# The page is put into a frame of the wanted width, since a window can't be as narrow as a phone.
FRAME = """<!doctype html><meta charset="utf-8"><style>body{{margin:0}}iframe{{border:0;
width:{width}px;height:{height}px;display:block}}</style><iframe src="{page}"></iframe><pre hidden>
</pre><script>addEventListener("load", () => setTimeout(() => {{
const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
const beyond = [...page.querySelectorAll("main *, header *")].filter(e =>
  e.getBoundingClientRect().right > {width} + 1 && !e.closest(".frame, pre, .scroll"));
document.querySelector("pre").textContent = JSON.stringify({{
  height: root.scrollHeight, width: root.scrollWidth,
  broken: [...page.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.alt),
  pictures: page.images.length,
  beyond: beyond.slice(0, 5).map(e => e.tagName + "." + (e.getAttribute("class") || "")),
  asked: page.defaultView.performance.getEntriesByType("resource").map(e => e.name)
    .filter(name => !name.startsWith("data:")),
}})}}, 300))</script>"""


# axe-core (Deque) looks at the page in such a frame; which rules it breaks, and where first.
AXE_MISSING = "axe-core is not installed: the package axe-core-python of requirements.txt"
POLICY = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')  # which lets no axe in
AXE_FRAME = """<!doctype html><meta charset="utf-8"><style>iframe{{border:0;width:{width}px;
height:1200px}}</style><iframe src="{page}"></iframe><pre hidden></pre><script>
addEventListener("load", () => {{
const page = document.querySelector("iframe").contentWindow;
const script = page.document.createElement("script");
script.src = "{axe}";
script.onload = async () => {{
  const found = await page.axe.run(page.document, {{resultTypes: ["violations"]}});
  document.querySelector("pre").textContent = JSON.stringify(found.violations.map(
    v => `${{v.impact}}: ${{v.id}}: ${{v.help}}: ${{v.nodes[0].target.join(" ")}}`));
}};
page.document.head.append(script);
}})</script>"""


def browser():
    """The path of a Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def look(page, width, picture=None):
    """What Chromium sees of `page` at `width` pixels: a dict, with `console` its errors.

    Also `height` and `width` of the content in pixels, `pictures` (their number), `broken` (texts
    of broken pictures), `beyond` (elements that stick out) and `asked` (addresses requested).
    With `picture`, a PNG of the page from its top is written there.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = _measure(page, width, Path(folder))
        if picture:
            height = min(found["height"], TALLEST)
            frame = _frame(page, width, height, Path(folder))
            size = f"--window-size={max(width, 500)},{height}"
            _run(folder, f"--screenshot={Path(picture).resolve()}", size, frame)
            _crop(picture, width)
        return found


def problems(page):
    """Sentences about what is wrong with a page; none for a good one."""
    found = []
    for name, width in WIDTHS.items():
        seen = look(page, width)
        found += [f"{name}: broken picture: {alt}" for alt in seen["broken"]]
        found += [f"{name}: console: {line}" for line in seen["console"]]
        found += [f"{name}: asks the network for {address}" for address in seen["asked"]]
        found += [f"{name}: wider than the screen: {element}" for element in seen["beyond"]]
        if seen["width"] > width:
            found.append(f"{name}: {seen['width']} px wide on a screen of {width} px")
    return found


def axe():
    """The path of axe-core's script, which a package brings along, or None."""
    spec = importlib.util.find_spec("axe_core_python")
    return Path(spec.origin).with_name("axe.min.js") if spec and spec.origin else None


def inaccessible(page, width, dark=False):
    """What axe-core finds wrong with a page at `width` pixels, by day or night: sentences."""
    with tempfile.TemporaryDirectory() as folder:
        frame, copy = Path(folder, "frame.html"), Path(folder, "page.html")
        copy.write_text(POLICY.sub("", Path(page).read_text("utf-8")), "utf-8")
        addresses = {"page": copy.as_uri(), "axe": axe().as_uri()}
        frame.write_text(AXE_FRAME.format(width=width, **addresses))
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        result = _run(folder, "--dump-dom", scheme, frame.as_uri())
        return _told(result, page)


def _measure(page, width, folder):
    frame = _frame(page, width, 1200, folder)
    result = _run(folder, "--dump-dom", "--enable-logging=stderr", "--v=0", frame)
    told = _told(result, page)
    console = re.findall(r":(?:ERROR|WARNING|INFO):CONSOLE.*?\] (.*)", result.stderr)
    return {**told, "console": console}


def _told(result, page):
    """What the frame's script has put down."""
    text = re.search(r"<pre hidden[^>]*>(.*?)</pre>", result.stdout, re.DOTALL)
    if not text or not text[1].strip():
        raise RuntimeError(f"Chromium said nothing about {page}:\n{result.stderr[-2000:]}")
    return json.loads(unescape(text[1]))


def _frame(page, width, height, folder):
    path = folder / "frame.html"
    path.write_text(FRAME.format(width=width, height=height, page=Path(page).resolve().as_uri()))
    return path.as_uri()


def _run(folder, *arguments):
    profile = f"--user-data-dir={tempfile.mkdtemp(dir=folder)}"
    command = [browser(), *FLAGS, profile, "--virtual-time-budget=8000", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def _crop(picture, width):
    from PIL import Image

    with Image.open(picture) as image:
        cropped = image.crop((0, 0, width, image.height))
    cropped.save(picture)


def main():
    if not browser():
        sys.exit(f"error: {MISSING}")
    page = Path(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else page.parent
    folder.mkdir(parents=True, exist_ok=True)
    for name, width in WIDTHS.items():
        look(page, width, folder / f"{name}.png")
    if found := problems(page):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
