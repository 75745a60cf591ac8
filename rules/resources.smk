# What jobs ask of a scheduler: minutes, memory and GPUs. None of it decides a result, so none of it
# is a parameter. A job that is tried again asks for more time and memory.

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
    return lambda wildcards, input, attempt: int(base + copies * input.size_mb) * attempt


def minutes_of_training(wildcards, attempt):
    """Start, validation and weights in a quarter of an hour; at 512 pixels 0.4 s for a picture."""
    run = run_of(wildcards)
    steps = int(Path(wildcards.segment).name) - step_before(wildcards)
    pictures = steps * run["batch_size"] * run["gradient_accumulation_steps"]
    seconds = 0.4 * pictures * (run["resolution"] / 512) ** 2
    return (15 + math.ceil(seconds / 60)) * attempt
