rule train:
    input:
        script="scripts/train.py",
        modules=modules_of("scripts/train.py"),
        manifest=latents_of("manifest.json"),
        index=ancient(latents_of("index.parquet")),
        moments=ancient(latents_of("moments.safetensors")),
        text=ancient(latents_of("text.safetensors")),
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
    wildcard_constraints:
        segment=pattern(SEGMENTS),
    conda:
        training_env
    threads: lambda wildcards: run_of(wildcards)["threads"]
    resources:
        gpu=gpus_of_run,
        gpu_mb=gpu_memory_of_training,
        gpu_model=gpu_model_of_training,
        runtime=minutes_of_training,
        mem_mb=memory_of_training,
    params:
        run=hyper_parameters,
        model=lambda wildcards: config["models"][run_of(wildcards)["model"]]["path"],
        latents=folder_of_input("manifest"),
        name=name_of_run,
        start=step_before,
        end=lambda wildcards: int(Path(wildcards.segment).name),
        state=lambda wildcards, input: f"--state {input.state}" if input.state else "",
        folder=folder_of("about"),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --name {params.name}"
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
        segment=pattern(NEWEST),


# What the run does not `keep` is removed when nothing needs it any more.
use rule train as train_passing with:
    output:
        about=f"{STUDY}/runs/{{segment}}/checkpoint.json",
        weights=temp(directory(f"{STUDY}/runs/{{segment}}/weights")),
        metrics=f"{STUDY}/runs/{{segment}}/metrics.parquet",
        tensorboard=directory(f"{STUDY}/runs/{{segment}}/tensorboard"),
        state=temp(directory(f"{STUDY}/states/{{segment}}")),
    wildcard_constraints:
        segment=pattern(PASSING),


ruleorder: train_newest > train_passing > train
