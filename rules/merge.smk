rule merge:
    input:
        script="scripts/merge.py",
        modules=modules_of("scripts/merge.py"),
        model=lambda wildcards: model_files(config["runs"][wildcards.run]["model"], "unet"),
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
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(1000, copies=3),
    params:
        tuned=lambda wildcards, input: f"{input.weights}/{wildcards.weights}",
        folder=folder_of("about"),
    shell:
        "python scripts/run.py --log {log} {input.script} --base $(dirname {input.model[0]})"
        " --tuned {params.tuned:q} --alpha {wildcards.strength} --output {params.folder:q}"
