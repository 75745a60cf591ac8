"""What SkyPilot says of cloud/emaki.sky.yaml: `make test-cloud`, in an environment of its own.

SkyPilot's own parser reads the task, and a misspelt one. Then a dry run of a
launch chooses a machine, in a home where prices are those of this file and an account is pretended:
the real ones are on the network. Nothing is asked of a cloud.
"""

import contextlib
import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TASK = ROOT / "cloud/emaki.sky.yaml"
# As SkyPilot 0.14.1 wants them below the home folder.
CATALOGS = ".sky/catalogs/v8"
# Machine, GPU, dollars an hour, MiB of GPU memory.
MACHINES = [
    ("gpu_1x_h100_pcie", "H100", 2.49, 81920),
    ("gpu_1x_a100", "A100", 1.29, 40960),
    ("gpu_1x_a6000", "A6000", 0.80, 49152),
]


def main():
    if not shutil.which("rsync"):
        sys.exit("error: SkyPilot copies with rsync: install it with your package manager")
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, SKYPILOT_DISABLE_USAGE_COLLECTION="1")
        write_catalogs(Path(home, CATALOGS))
        import sky  # reads them

        task = sky.Task.from_yaml(str(TASK))
        says_what_it_should(task)
        refuses_a_misspelt_key(sky)
        chooses_a_machine(sky, task)


def write_catalogs(folder):
    columns = ["InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB"]
    columns += ["Price", "Region", "GpuInfo", "SpotPrice"]
    info = "{{'Gpus': [{{'Name': '{0}', 'Count': 1, 'MemoryInfo': {{'SizeInMiB': {1}}}}}]}}"
    rows = [
        [name, gpu, 1, 14, 100, price, "us-east-1", info.format(gpu, memory), ""]
        for name, gpu, price, memory in MACHINES
    ]
    write(folder / "lambda/vms.csv", [columns, *rows])
    known = [[gpu, "Lambda"] for _, gpu, _, _ in MACHINES] + [["L40S", "AWS"]]
    write(folder / "common/accelerators.csv", [["AcceleratorName", "Clouds"], *known])
    write(folder / "common/metadata.csv", [["GPU", "MemoryGB", "Manufacturer"]])


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def says_what_it_should(task):
    first, *others = task.resources
    assert str(first.cloud) == "Lambda", first
    assert any(resources.cloud is None for resources in others), "no other cloud is allowed"
    for resources in task.resources:
        assert resources.autostop_config.enabled, "the machine would not end by itself"
        assert resources.autostop_config.down, "Lambda's machines cannot be stopped, only ended"
    assert "snakemake --profile lambda results/report.html" in task.run
    for script in (task.setup, task.run):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    print(f"{TASK.name}: {len(task.resources)} kinds of machine, {first} first")


def refuses_a_misspelt_key(sky):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(TASK.read_text().replace("\nsetup:", "\nset_up:"))
        file.flush()
        try:
            sky.Task.from_yaml(file.name)
        except ValueError as error:
            print(f"a misspelt key: {str(error).splitlines()[0]}")
        else:
            sys.exit("error: a misspelt key was not refused")


def chooses_a_machine(sky, task):
    """What `sky launch --dryrun` does where its command line has handed over to the server."""
    from sky import check, dag, execution, optimizer

    check.get_cached_enabled_clouds_or_refresh = lambda *_, **__: [sky.clouds.Lambda()]
    with dag.Dag() as graph, contextlib.redirect_stdout(io.StringIO()):
        graph.add(task)
        optimizer.Optimizer.optimize(graph, quiet=True)
        execution.launch(graph, cluster_name="emaki", dryrun=True)
    chosen = task.best_resources
    assert chosen.instance_type == "gpu_1x_a6000", chosen
    print(f"the dry run chose {chosen} at {chosen.get_cost(3600):.2f} an hour")


if __name__ == "__main__":
    main()
