rule merge:
    input:
        script="scripts/merge.py",
        modules=modules_of("scripts/merge.py"),
        model=merged_files,
        tuned=f"{STUDY}/runs/{{run}}/{{step}}/checkpoint.json",
        weights=ancient(f"{STUDY}/runs/{{run}}/{{step}}/weights"),
    output:
        about=f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/merge.json",
        config=f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/config.json",
        unet=f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/diffusion_pytorch_model.safetensors",
    log:
        f"{LOGS}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}.log",
    benchmark:
        f"{BENCHMARKS}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}.tsv"
    wildcard_constraints:
        run=names("runs", method=["full"]),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(1000, copies=3),
    params:
        model=lambda wildcards: config["models"][config["runs"][wildcards.run]["model"]]["path"],
        tuned=lambda wildcards, input: f"{input.weights}/{wildcards.weights}",
        folder=folder_of("about"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --model {params.model:q}"
        " --tuned {params.tuned:q} --alpha {wildcards.strength} --output {params.folder:q}"


use rule merge as merge_text_encoder with:
    output:
        about=f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/merge.json",
        config=f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/config.json",
        unet=f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/diffusion_pytorch_model.safetensors",
        text_encoder=directory(
            f"{STUDY}/merges/{{run}}/{{step}}/{{weights}}/{{strength}}/text_encoder"
        ),
    wildcard_constraints:
        run=names("runs", method=["full"], train_text_encoder=[True]),


ruleorder: merge_text_encoder > merge
