# What jobs ask of a scheduler: minutes, memory and GPUs. None of it decides a result, so none of it
# is a parameter. A job that is tried again asks for more time and memory.
from emaki.costs import estimates

# A profile that has GPUs to give says how many (`resources: gpu=N`), and jobs with a model ask for
# theirs; elsewhere they take what PyTorch finds. A profile must give at least one: Snakemake cuts a
# request down to what there is, without a word and down to none. The Snakemake that a cluster job
# runs is not told, but has the environment.
if "gpu" in workflow.global_resources:
    os.environ.update(EMAKI_GPUS="1")
GIVES_GPUS = "EMAKI_GPUS" in os.environ


def gpus(count=1):
    """A resource: how many GPUs of its own a job asks for."""
    return count if GIVES_GPUS else 0


def gpus_of_run(wildcards):
    """One GPU for each process of a training."""
    return gpus(run_of(wildcards)["processes"])


def minutes(first):
    """A resource: the time limit of a job's first attempt, in minutes."""
    return lambda wildcards, attempt: first * attempt


def megabytes(base, copies=1):
    """A resource: memory for a program of `base` MB and so many copies of the job's inputs."""

    def needed(wildcards, input, attempt):
        held = input.size_mb + sum(map(megabytes_listed, input))
        return int(base + copies * held) * attempt

    return needed


def megabytes_listed(path):
    """The MB of the weights that the list of a model of the hub stands for (hub_image_text)."""
    path = Path(path)
    weights = path.parent.glob("*.safetensors") if path.name == "files.json" else []
    return sum(file.stat().st_size for file in weights) / 2**20


def minutes_of_training(wildcards, attempt):
    """A quarter of an hour for start, validation and weights, and three times what is reckoned.

    The reckoning is good for a factor of two, and with a batch of 1 a GPU waits for the CPU.
    """
    steps = run_of(wildcards)["checkpoint_every"]
    return (15 + 3 * estimates.training_minutes(config, name_of_run(wildcards), steps)) * attempt


def memory_of_training(wildcards, input, attempt):
    """Main memory in MB: what each process holds, and what the job reads."""
    held = estimates.main_memory_mb(config, name_of_run(wildcards))
    return int(held * run_of(wildcards)["processes"] + input.size_mb) * attempt


def gpu_memory_of_training(wildcards):
    """MB on each of its GPUs. The same on every attempt: another GPU gives other last bits."""
    return estimates.gpu_memory_mb(config, name_of_run(wildcards)) if GIVES_GPUS else 0


def gpu_model_of_training(wildcards):
    """The model of GPU to ask a scheduler for; "" is any."""
    needed = gpu_memory_of_training(wildcards)
    return estimates.gpu_model(config, needed) if GIVES_GPUS else ""
