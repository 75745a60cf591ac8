"""Emaki's training stage against diffusers' own script, side by side.

    git clone https://github.com/huggingface/diffusers /tmp/diffusers
    python benchmarks/train_vs_diffusers.py --peer /tmp/diffusers/examples/text_to_image

Both train the same model on the same pictures at the same time, a CPU core each, then with the
cores swapped: on a shared machine only such pairs can be compared. Counted are the optimizer steps
that each does while both are training, after WARM_UP steps, per second and per CPU second; where
others use the cores too, the CPU seconds tell. On one core (taskset -c 1) both share it.

Each trainer is also paired with bare_loop.py. The peer's script needs torchvision: --peer-path
names a folder to put on its PYTHONPATH, which `pip install --no-deps --target FOLDER
torchvision==VERSION` fills, of the version whose metadata ask for the torch that is installed.
Another dies before its first step, which ends both with its message. The figures go to
benchmarks/results/train_vs_diffusers.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import models

HERE = Path(__file__).parent
WARM_UP = 2
ATTEMPTS = 3
SETTINGS = {
    "fp32": {"ours": {}, "theirs": []},
    "bf16": {"ours": {"mixed_precision": "bf16"}, "theirs": ["--mixed_precision", "bf16"]},
    # the script has no flag for it, but accelerate compiles what it prepares
    "compiled": {
        "ours": {"compile": True},
        "theirs": [],
        "env": {"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"},
    },
    "both": {
        "ours": {"mixed_precision": "bf16", "compile": True},
        "theirs": ["--mixed_precision", "bf16"],
        "env": {"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"},
    },
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="diffusers' examples/text_to_image")
    parser.add_argument("--peer-path", default="", help="PYTHONPATH of the peer (torchvision)")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2, help="pairs, each in both arrangements")
    parser.add_argument("--only", nargs="*", default=[], help="words that a case's name must have")
    parser.add_argument("--output", default=HERE / "results/train_vs_diffusers.json")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    output = Path(arguments.output)
    output.parent.mkdir(exist_ok=True)
    results = {"cases": {}, "models": {}, "machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        models.make_dataset(folder / "data")
        shares = {"miniature": None, "VAE share of SD 1.4": models.VAE_SHARE_OF_SD14}
        for name, share in shares.items():
            cases = {
                f"{name}; {method}; {setting}": (method, setting)
                for method in ("full", "lora")
                for setting in SETTINGS
            }
            cases = {k: v for k, v in cases.items() if all(word in k for word in arguments.only)}
            if not cases:
                continue
            place = folder / name.replace(" ", "-")
            results["models"][name] = models.make_model(place, share)
            encode(place, folder / "data/ours")
            for case, (method, setting) in cases.items():
                results["cases"][case] = compare(arguments, folder, place, method, setting)
                print(case, json.dumps(results["cases"][case], indent=1), flush=True)
                output.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def machine():
    import diffusers
    import torch

    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
    }


def processor():
    about = Path("/proc/cpuinfo").read_text().split("model name")[1]
    return about.splitlines()[0].strip("\t :")


def encode(place, dataset):
    script = HERE.parent / "scripts/latents.py"
    command = [sys.executable, script, "--dataset", dataset, "--model", place / "model"]
    command += ["--resolution", str(models.SIZE), "--output", place / "latents"]
    subprocess.run(command, check=True, capture_output=True)


def compare(arguments, folder, place, method, setting):
    """All figures of one case."""
    ours = our_command(place, method, setting, arguments.steps)
    theirs = their_command(arguments, folder, place, method, setting)
    bare = bare_command(place, method, setting, arguments.steps)
    pairs = [pair(ours, theirs, turn) for turn in range(2 * arguments.rounds)]
    bares = [pair(ours, bare, turn) for turn in range(2 * arguments.rounds)]
    return {
        "ratio": spread([a["rate"] / b["rate"] for a, b in pairs]),
        "ratio_per_cpu_second": spread([a["cpu_rate"] / b["cpu_rate"] for a, b in pairs]),
        "share_of_bare_loop": spread([a["rate"] / b["rate"] for a, b in bares]),
        "share_of_bare_loop_per_cpu_second": spread(
            [a["cpu_rate"] / b["cpu_rate"] for a, b in bares]
        ),
        "ours": summary([a for a, _ in pairs]),
        "diffusers": summary([b for _, b in pairs]),
    }


def our_command(place, method, setting, steps):
    run = {"method": method, "batch_size": models.BATCH, "resolution": models.SIZE}
    run |= SETTINGS[setting]["ours"] | ({"ema": {}} if method == "full" else {})
    work = place / "ours"
    command = [HERE.parent / "scripts/train.py", "--name", "bench", "--run", json.dumps(run)]
    command += ["--model", place / "model", "--latents", place / "latents"]
    command += ["--to-step", steps, "--output", work / "run", "--state-output", work / "state"]
    return {"command": command, "environment": {}}


def their_command(arguments, folder, place, method, setting):
    script = "train_text_to_image.py" if method == "full" else "train_text_to_image_lora.py"
    command = [Path(arguments.peer) / script, "--pretrained_model_name_or_path", place / "model"]
    command += ["--train_data_dir", folder / "data/theirs", "--resolution", models.SIZE]
    command += ["--train_batch_size", models.BATCH, "--max_train_steps", arguments.steps]
    command += ["--learning_rate", "1e-4", "--seed", 0, "--checkpointing_steps", 10**9]
    command += ["--output_dir", place / "theirs", "--cache_dir", folder / "cache"]
    command += SETTINGS[setting]["theirs"]
    command += ["--use_ema", "--foreach_ema"] if method == "full" else ["--rank", 4]
    environment = SETTINGS[setting].get("env", {}) | {"PYTHONPATH": arguments.peer_path}
    return {"command": command, "environment": environment}


def bare_command(place, method, setting, steps):
    wanted = {"model": str(place / "model"), "method": method, "batch_size": models.BATCH}
    wanted |= {"mixed_precision": "no", "compile": False, "steps": steps}
    wanted |= SETTINGS[setting]["ours"]
    return {"command": [HERE / "bare_loop.py", json.dumps(wanted)], "environment": {}}


def pair(first, second, turn):
    """The figures of two commands that run at once, a core each, swapped in odd turns."""
    for _ in range(ATTEMPTS):
        reports = run_both(first, second, turn)
        begin = max(report["wall"][WARM_UP] for report in reports)
        end = min(report["wall"][-1] for report in reports)
        results = [figures(report, begin, end) for report in reports]
        if all(results):
            return results
    sys.exit("the two did not train together for long enough: give more --steps")


def run_both(first, second, turn):
    """Run two commands at once and return their reports (clocked.py)."""
    with tempfile.TemporaryDirectory() as folder:
        reports = [Path(folder) / "first.json", Path(folder) / "second.json"]
        cores = sorted(os.sched_getaffinity(0))[:2]
        jobs = [
            start(job, report, cores[(number + turn) % len(cores)])
            for number, (job, report) in enumerate(zip((first, second), reports))
        ]
        wait_for_both(jobs, reports)
        return [json.loads(report.read_text()) for report in reports]


def wait_for_both(jobs, reports):
    """Wait for two (process, log); where one fails, or ends before its first step, end both.

    The other would wait for its first step for ever.
    """

    def failed(job, report):
        return job.poll() is not None and (job.poll() or not report.with_suffix(".ready").exists())

    pairs = [(job, report) for (job, _), report in zip(jobs, reports)]
    while any(job.poll() is None for job, _ in jobs) and not any(failed(*pair) for pair in pairs):
        time.sleep(0.2)
    for (job, log), report in zip(jobs, reports):
        if failed(job, report):
            for other, _ in jobs:
                other.kill()
                other.wait()
            log.seek(0)
            begun = report.with_suffix(".ready").exists()
            when = "failed" if begun else "ended before its first step"
            sys.exit(f"{' '.join(map(str, job.args))}\n{when}:\n{log.read().decode()[-3000:]}")


def start(job, report, core):
    command = [sys.executable, HERE / "clocked.py", report, *job["command"]]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "CLOCKED": "2"}
    environment |= job["environment"]
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *map(str, command)],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    return process, log


def figures(report, begin, end):
    """A trainer's figures for the steps that it did between two times; None where they are few."""
    inside = [i for i, wall in enumerate(report["wall"]) if begin <= wall <= end]
    if len(inside) < 5:
        return None
    a, b = inside[0], inside[-1]
    return {
        "rate": (b - a) / (report["wall"][b] - report["wall"][a]),
        "cpu_rate": (b - a) / (report["cpu"][b] - report["cpu"][a]),
        "first_step": report["wall"][0] - report["start"],
        "first_step_cpu": report["cpu"][0],
        "memory": report["peak_memory"],
    }


def spread(values):
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "pairs": len(values),
    }


def summary(runs):
    return {
        "steps_per_second": spread([run["rate"] for run in runs]),
        "first_step_seconds": spread([run["first_step"] for run in runs]),
        "first_step_cpu_seconds": spread([run["first_step_cpu"] for run in runs]),
        "peak_memory_mb": spread([run["memory"] / 1e6 for run in runs]),
    }


if __name__ == "__main__":
    main()
