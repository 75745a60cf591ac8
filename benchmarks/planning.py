"""What planning takes with more and more runs: CPU seconds and memory of `snakemake -n`.

    python benchmarks/planning.py --runs 10 100 1000

Each run is a full fine-tune with ten checkpoints, drawn with two sets of prompts and at three merge
alphas, an entry for each. Nothing has been made. Reading and checking the config is timed alone.
The figures go to benchmarks/results/planning.json, the plot of them beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from train_vs_diffusers import processor

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "profiles", "resources")
CONFIG = {
    "study": "planned",
    "models": {"tiny": {"path": "resources/tiny-sd"}},
    "measures": {"clip_score": {"type": "clip-score", "model": "resources/tiny-clip"}},
    "sampling": {"steps": 2, "seeds": [0, 1], "resolution": 64},
    "sources": {"rooms": {"type": "rooms", "count": 24}},
    "captions": {"alt": {"type": "alt"}},
    "datasets": {"rooms": {"source": "rooms", "captions": "alt"}},
    "prompts": {
        "rooms": {"texts": ["a red couch", "a blue couch"]},
        "unrelated": {"texts": ["a pig", "a red heart"]},
    },
}
RUN = {
    "model": "tiny",
    "dataset": "rooms",
    "method": "full",
    "steps": 10,
    "checkpoint_every": 1,
    "batch_size": 4,
    "learning_rate": 1e-4,
    "resolution": 64,
}
OWN = {"train", "train_passing", "train_newest", "sample", "score", "grid", "compare"}
READ = "from emaki.config import load; load('planned.yaml')"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/planning.json")
    arguments = parser.parse_args()
    results = {"cpu": processor(), "cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
    results["planned"] = [plan(count) for count in arguments.runs]
    print(json.dumps(results, indent=1))
    arguments.output.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    arguments.output.with_suffix(".svg").write_text(plot(results["planned"]))


def plan(count):
    """What a dry run of so many runs takes, and how many jobs it plans."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            Path(folder, part).symlink_to(ROOT / part)
        Path(folder, "planned.yaml").write_text(yaml.safe_dump(config(count)))
        command = ["-m", "snakemake", "results/report.html", "-n", "--quiet", "rules"]
        command += ["--profile", "profiles/local", "--configfile", "planned.yaml", "--cores", "2"]
        read = measured([sys.executable, "-c", READ], folder)
        done = measured([sys.executable, *command], folder)
    table = [line.split() for line in done["output"].splitlines() if line.count(" ") > 1]
    jobs = {line[0]: int(line[1]) for line in table if len(line) == 2 and line[1].isdigit()}
    return {
        "runs": count,
        "jobs": jobs["total"],
        "jobs_of_a_run": round(sum(jobs.get(rule, 0) for rule in OWN) / count, 1),
        "check_cpu_seconds": read["cpu_seconds"],
        "cpu_seconds": done["cpu_seconds"],
        "peak_memory_mb": done["peak_memory_mb"],
    }


def config(count):
    """A study of so many runs, each with an entry."""
    names = [f"run{number}" for number in range(count)]
    entry = {"title": "A run", "question": "Is it better?", "baselines": ["tiny"]}
    entry |= {"checkpoints": "all", "merge_alphas": [0.25, 0.5, 0.75]}
    entry["prompts"] = {"domain": "rooms", "unrelated": "unrelated"}
    return {
        **CONFIG,
        "runs": {name: RUN | {"seed": number} for number, name in enumerate(names)},
        "experiments": {name: {**entry, "runs": [name]} for name in names},
    }


def measured(command, folder):
    """CPU seconds and peak memory of a command, and what it says."""
    own = {**os.environ, "PYTHONPATH": str(Path(folder, "scripts"))}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=own, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode:
        sys.exit(said)
    return {
        "output": said,
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_memory_mb": round(used.ru_maxrss / 1024),
    }


def plot(planned):
    """CPU seconds over runs as SVG, both on logarithmic scales, with their figures."""
    import math

    def place(runs, seconds):
        return 60 + 100 * math.log10(runs), 260 - 70 * math.log10(max(seconds, 1))

    points = [(place(one["runs"], one["cpu_seconds"]), one) for one in planned]
    line = " ".join(f"{x:.1f},{y:.1f}" for (x, y), _ in points)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x - 50:.1f}" y="{y - 10:.1f}">'
        f"{one['runs']:,} runs: {one['cpu_seconds']:g} s, {one['peak_memory_mb']} MB</text>"
        for (x, y), one in points
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 300" font-family="sans-serif" '
        'font-size="12"><rect width="460" height="300" fill="#fdfcf8"/>'
        '<text x="20" y="285">CPU seconds of a dry run over runs (both logarithmic)</text>'
        f'<polyline points="{line}" fill="none" stroke="#b8412c"/>{marks}</svg>\n'
    )


if __name__ == "__main__":
    main()
