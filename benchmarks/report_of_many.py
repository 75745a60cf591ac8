"""How long the report of many entries takes to make and to open, and what memory it needs.

    make report
    python benchmarks/report_of_many.py results/miniature

The entries are those of a study that has run, again and again under other names, each with runs,
answers, grids, losses and timings of its own (tests/report/many.py). scripts/report.py makes the
report as the rule does. Then Chromium, fresh each time, opens the index, an entry's page and the
study's own report: the first contentful paint and the end of loading, after the navigation's start.
The figures go to benchmarks/results/report_of_many.json.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from train_vs_diffusers import processor

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "scripts"), str(HERE.parent / "tests/report")]
PAINT = 'performance.getEntriesByName("first-contentful-paint")'
LOADED = 'performance.getEntriesByType("navigation")[0].loadEventEnd'
ROUNDS = 5


def main():
    import many

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="folder of a study with a report")
    parser.add_argument("--entries", type=int, default=300)
    parser.add_argument("--output", type=Path, default=HERE / "results/report_of_many.json")
    arguments = parser.parse_args()
    results = {"cpu": processor(), "cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as place:
        many.multiply(arguments.study, Path(place), arguments.entries)
        folder = Path(place, "results", many.NAME)
        results["entries"] = arguments.entries
        results["grids"] = sum(1 for _ in folder.glob("grids/*/*.png"))
        results["made"] = make(place, f"results/{many.NAME}")
        pages = sorted(Path(folder, "report").iterdir(), key=lambda page: page.stat().st_size)
        shown = {"index": folder / "report.html", "largest page": pages[-1]}
        shown["own report"] = arguments.study / "report.html"
        results["opened"] = {name: opened(page) for name, page in shown.items()}
    print(json.dumps(results, indent=1))
    arguments.output.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def make(place, folder):
    """Seconds, CPU seconds and memory that the report takes."""
    command = [sys.executable, HERE.parent / "scripts/report.py"]
    command += ["--study", f"{folder}/config.json", "--output", f"{folder}/report.html"]
    start = time.monotonic()
    subprocess.run(command, check=True, cwd=place)
    seconds, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_memory_mb": round(used.ru_maxrss / 1024),
    }


def opened(page):
    """Milliseconds until a page's first paint and its end of loading: medians, and the most."""
    import chromium
    import screenshot

    assert screenshot.browser(), screenshot.MISSING
    found = []
    for _ in range(ROUNDS):
        with chromium.running() as browser:
            browser.open(page)
            browser.until(f"{PAINT}.length > 0")
            times = {"paint": f"{PAINT}[0].startTime", "loaded": LOADED}
            found.append({key: browser.value(value) for key, value in times.items()})
    return {
        "mb": round(page.stat().st_size / 1e6, 1),
        **{key: round(statistics.median(one[key] for one in found)) for key in found[0]},
        "slowest": round(max(one["loaded"] for one in found)),
    }


if __name__ == "__main__":
    main()
