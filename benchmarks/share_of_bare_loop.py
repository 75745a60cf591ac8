"""How much of a training's step is the bare loop's, with and without average and clipping.

    python benchmarks/share_of_bare_loop.py

Steps of both are taken in turn in one process, and the ratio of their CPU seconds is taken pair by
pair: other work on the machine then falls on both. The model is the miniature of models.py, fp32,
one thread. The figures go to benchmarks/results/share_of_bare_loop.json.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import bare_loop
import models
from train_vs_diffusers import machine, spread

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))
WARM_UP = 2
SETTINGS = {
    "average and clipping": {"ema": {}},
    "clipping": {},
    "average": {"ema": {}, "max_grad_norm": None},
    "neither": {"max_grad_norm": None},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--output", type=Path, default=HERE / "results/share_of_bare_loop.json")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    results = {"machine": machine(), "load_average": os.getloadavg()[0], "settings": {}}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_data(folder)
        for name, keys in SETTINGS.items():
            results["settings"][name] = compare(folder, keys, arguments.steps)
            print(name, json.dumps(results["settings"][name]), flush=True)
    arguments.output.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def make_data(folder):
    from emaki.training.encoding import encode_dataset

    models.make_dataset(folder / "data")
    models.make_model(folder)
    dataset, output = folder / "data/ours", folder / "latents"
    encode_dataset(dataset, folder / "model", models.SIZE, random_flip=False, output=output)


def compare(folder, keys, steps):
    """The bare loop's share of a step of a full fine-tune with these keys, and both times."""
    import torch

    from emaki.training import loop, settings

    run = {"method": "full", "batch_size": models.BATCH, "resolution": models.SIZE} | keys
    run = settings.read(json.dumps(run))
    trainer = loop.make_trainer(run, folder / "model", folder / "latents", torch.device("cpu"))
    step = bare_loop.make_step(folder / "model", run)
    moments = []  # of our step's end and of the bare one's, in turn

    def between():
        moments.append(time.process_time())
        step()
        moments.append(time.process_time())
        return False

    loop.train(trainer, 0, steps + WARM_UP, "compare", between)
    bare = [b - a for a, b in zip(moments[::2], moments[1::2])][WARM_UP:]
    ours = [b - a for a, b in zip(moments[1::2], moments[2::2])][WARM_UP - 1 :]
    return {
        "share": spread([b / a for a, b in zip(ours, bare)]),
        "bare_ms": round(1000 * statistics.median(bare), 1),
        "ours_ms": round(1000 * statistics.median(ours), 1),
    }


if __name__ == "__main__":
    main()
