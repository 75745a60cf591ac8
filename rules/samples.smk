rule prompts:
    input:
        script="scripts/prompts.py",
        modules=modules_of("scripts/prompts.py"),
        dataset=prompts_dataset,
    output:
        f"{STUDY}/prompts/{{prompts}}.parquet",
    log:
        f"{LOGS}/prompts/{{prompts}}.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        prompts=entry_of("prompts", "prompts"),
        dataset=lambda wildcards, input: (
            f"--dataset {Path(input.dataset[0]).parents[1]}" if input.dataset else ""
        ),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --prompts {params.prompts:q}"
        " {params.dataset} --output {output:q}"


rule sample:
    input:
        unpack(weights_of),
        script="scripts/sample.py",
        modules=modules_of("scripts/sample.py"),
        prompts=f"{STUDY}/prompts/{{prompts}}.parquet",
        model=lambda wildcards: model_files(
            model_of(wildcards), "unet", "vae", "text_encoder", "tokenizer", "scheduler"
        ),
    output:
        f"{STUDY}/samples/{{variant}}/{{prompts}}.parquet",
    log:
        f"{LOGS}/samples/{{variant}}/{{prompts}}.log",
    benchmark:
        f"{BENCHMARKS}/samples/{{variant}}/{{prompts}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        gpu=gpus(),
        runtime=minutes(60),
        mem_mb=megabytes(4000, copies=2),
    params:
        model=lambda wildcards: config["models"][model_of(wildcards)]["path"],
        weights=weights_arguments,
        sampling=as_json(config["sampling"]),
        # Keeps every picture under what made it, so that a new prompt draws only its own.
        store=f"{STUDY}/pictures",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --model {params.model:q}"
        " {params.weights} --sampling {params.sampling:q} --prompts {input.prompts:q}"
        " --store {params.store:q} --label {wildcards.variant}/{wildcards.prompts}"
        " --output {output:q}"
