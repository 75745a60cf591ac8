"""What SkyPilot says of cloud/emaki.sky.yaml: `make test-cloud`, in an environment of its own.

SkyPilot's own parser reads the task, and a misspelt one. Nothing is asked of a cloud: the dry run
of `sky launch` wants prices from the network.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["SKYPILOT_DISABLE_USAGE_COLLECTION"] = "1"
ROOT = Path(__file__).parents[2]
TASK = ROOT / "cloud/emaki.sky.yaml"


def main():
    import sky

    os.chdir(ROOT)
    task = sky.Task.from_yaml(str(TASK))
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
    refuses_a_misspelt_key(sky)


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


if __name__ == "__main__":
    main()
