# What a segment of every run leaves behind, but for its weights and its state.
TRAINED = {
    # Small, and says what the weights are: what follows is compared with this by content.
    "about": f"{STUDY}/runs/{{segment}}/checkpoint.json",
    "metrics": f"{STUDY}/runs/{{segment}}/metrics.parquet",
    "tensorboard": directory(f"{STUDY}/runs/{{segment}}/tensorboard"),
}


rule train:
    input:
        script=ancient("scripts/train.py"),
        code=lambda w: training.code(w.segment),
        manifest=lambda w: f"{training.latents(w.segment)}/manifest.json",
        latents=ancient(lambda w: training.latent_files(w.segment)),
        model=lambda w: training.model_files(w.segment),
        start=lambda w: training.start_files(w.segment),
        start_weights=ancient(lambda w: training.start_weights(w.segment)),
        state=lambda w: training.state_before(w.segment),
    output:
        **TRAINED,
        weights=directory(f"{STUDY}/runs/{{segment}}/weights"),
        state=temp(directory(f"{STUDY}/states/{{segment}}")),
    log:
        f"{LOGS}/runs/{{segment}}.log",
    benchmark:
        f"{BENCHMARKS}/runs/{{segment}}.tsv"
    wildcard_constraints:
        segment=any_of(training.segments),
    conda:
        lambda w: f"../envs/{training.environment(w.segment)}.yaml"
    threads: lambda w: training.run(w.segment).threads
    resources:
        gpu=lambda w: training_resources.gpus(run_name(w.segment)),
        gpu_mb=lambda w: training_resources.gpu_memory_mb(run_name(w.segment)),
        gpu_model=lambda w: training_resources.gpu_model(run_name(w.segment)),
        runtime=lambda w, attempt: training_resources.minutes(run_name(w.segment), attempt),
        mem_mb=lambda w, input, attempt: training_resources.memory_mb(
            run_name(w.segment), input, attempt
        ),
    params:
        run=lambda w: training.hyper_parameters(w.segment),
        model=lambda w: training.model(w.segment),
        latents=folder_of_input("manifest"),
        name=lambda w: run_name(w.segment),
        start=lambda w: training.first_step(w.segment),
        end=lambda w: last_step(w.segment),
        state=lambda w, input: f"--state {input.state}" if input.state else "",
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
        **TRAINED,
        weights=directory(f"{STUDY}/runs/{{segment}}/weights"),
        state=directory(f"{STUDY}/states/{{segment}}"),
    wildcard_constraints:
        segment=any_of(training.newest),


# What the run does not `keep` is removed when nothing needs it any more.
use rule train as train_passing with:
    output:
        **TRAINED,
        weights=temp(directory(f"{STUDY}/runs/{{segment}}/weights")),
        state=temp(directory(f"{STUDY}/states/{{segment}}")),
    wildcard_constraints:
        segment=any_of(training.passing),


ruleorder: train_newest > train_passing > train
