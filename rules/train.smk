SEGMENTS = [f"{run}/{step:06d}" for run in config["runs"] for step in steps_of(config, run)]
NEWEST = [f"{run}/{steps_of(config, run)[-1]:06d}" for run in config["runs"]]


def run_of(wildcards):
    return config["runs"][wildcards.segment.split("/")[0]]


def latents_of(wildcards):
    """The folder of cached latents that a run trains on."""
    wanted = run_of(wildcards)
    transform = f"{wanted['resolution']}{'-flip' if wanted['random_flip'] else ''}"
    return f"{STUDY}/latents/{wanted['dataset']}/{wanted['model']}/{transform}"


def step_before(wildcards):
    """The step at which a segment begins."""
    return int(wildcards.segment.split("/")[1]) - run_of(wildcards)["checkpoint_every"]


def state_before(wildcards):
    """The state that a segment goes on from. A run's first segment has none."""
    before = step_before(wildcards)
    state = f"{STUDY}/states/{wildcards.segment.split('/')[0]}/{before:06d}"
    # `ancient`, because all that a segment depends on are its other inputs and parameters: a
    # state that had to be made again is the same, and the segments after it stay as they are.
    return ancient(state) if before > 0 else []


def hyper_parameters(wildcards):
    """What decides the weights. Not among it is how far the run goes and where it stops."""
    run = run_of(wildcards)
    elsewhere = {"model", "dataset", "extends", "recipe", "steps", "checkpoint_every"}
    return as_json({key: value for key, value in run.items() if key not in elsewhere})


def trained_files(wildcards):
    """The base model's files that a training reads."""
    run = run_of(wildcards)
    starts = {run["train_init"], (run["ema"] or {}).get("init")}
    parts = ["unet", "scheduler"] + (["non_ema"] if "non_ema" in starts else [])
    return model_files(run["model"], *parts)


wildcard_constraints:
    segment="|".join(map(re.escape, SEGMENTS)) or "(?!)",


rule train:
    input:
        script="scripts/train.py",
        modules=modules_of("scripts/train.py"),
        manifest=lambda wildcards: f"{latents_of(wildcards)}/manifest.json",
        index=lambda wildcards: ancient(f"{latents_of(wildcards)}/index.parquet"),
        moments=lambda wildcards: ancient(f"{latents_of(wildcards)}/moments.safetensors"),
        text=lambda wildcards: ancient(f"{latents_of(wildcards)}/text.safetensors"),
        model=trained_files,
        state=state_before,
    output:
        # Small, and says what the weights are: what follows is compared with this by content.
        about=f"{STUDY}/runs/{{segment}}/checkpoint.json",
        weights=directory(f"{STUDY}/runs/{{segment}}/weights"),
        metrics=f"{STUDY}/runs/{{segment}}/metrics.parquet",
        tensorboard=directory(f"{STUDY}/runs/{{segment}}/tensorboard"),
        state=temp(directory(f"{STUDY}/states/{{segment}}")),
    log:
        f"{LOGS}/runs/{{segment}}.log",
    benchmark:
        f"{BENCHMARKS}/runs/{{segment}}.tsv"
    conda:
        "../envs/training.yaml"
    threads: lambda wildcards: run_of(wildcards)["threads"]
    params:
        run=hyper_parameters,
        model=lambda wildcards: config["models"][run_of(wildcards)["model"]]["path"],
        latents=lambda wildcards: latents_of(wildcards),
        name=lambda wildcards: wildcards.segment.split("/")[0],
        start=step_before,
        end=lambda wildcards: int(wildcards.segment.split("/")[1]),
        state=lambda wildcards, input: f"--state {input.state}" if input.state else "",
        folder=folder_of("about"),
    shell:
        "python scripts/run.py --warm --log {log} {input.script} --name {params.name}"
        " --run {params.run:q} --model {params.model:q} --latents {params.latents:q}"
        " --from-step {params.start} --to-step {params.end} {params.state}"
        " --output {params.folder:q} --state-output {output.state:q}"


# The newest state of a run is kept, so that a run that is made longer goes on from there.
use rule train as train_newest with:
    output:
        about=f"{STUDY}/runs/{{segment}}/checkpoint.json",
        weights=directory(f"{STUDY}/runs/{{segment}}/weights"),
        metrics=f"{STUDY}/runs/{{segment}}/metrics.parquet",
        tensorboard=directory(f"{STUDY}/runs/{{segment}}/tensorboard"),
        state=directory(f"{STUDY}/states/{{segment}}"),
    wildcard_constraints:
        segment="|".join(map(re.escape, NEWEST)),


ruleorder: train_newest > train
