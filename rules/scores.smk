rule score:
    input:
        script="scripts/score.py",
        modules=modules_of("scripts/score.py"),
        samples=f"{STUDY}/samples/{{variant}}/{{prompts}}.parquet",
        clip=transformers_files(JUDGES["clip"]),
        models=SCORING_FILES,
    output:
        f"{STUDY}/scores/{{variant}}/{{prompts}}.parquet",
    log:
        f"{LOGS}/scores/{{variant}}/{{prompts}}.log",
    benchmark:
        f"{BENCHMARKS}/scores/{{variant}}/{{prompts}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        gpu=gpus(),
        runtime=minutes(30),
        mem_mb=megabytes(4000, copies=2),
    params:
        evaluators=as_json(config["evaluators"]),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --samples {input.samples:q} --evaluators {params.evaluators:q}"
        " --label {wildcards.variant}/{wildcards.prompts}"
        " --output {output:q}"


rule reference:
    input:
        script="scripts/reference.py",
        modules=modules_of("scripts/reference.py"),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        pictures=ancient(f"{STUDY}/datasets/{{dataset}}/data/train.parquet"),
        models=REFERENCE_FILES,
    output:
        f"{STUDY}/references/{{dataset}}.parquet",
    log:
        f"{LOGS}/references/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/references/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=PIECES,
    conda:
        "../envs/evaluation.yaml"
    resources:
        gpu=gpus(),
        runtime=minutes(30),
        mem_mb=megabytes(4000, copies=2),
    params:
        resolution=config["sampling"]["resolution"],
        features=as_json(config["evaluators"]["features"]),
        clip=f"--clip {quote(JUDGES['clip'])}" if JUDGES["cmmd"] else "",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --pictures {input.pictures:q}"
        " --resolution {params.resolution} --features {params.features:q} {params.clip}"
        " --output {output:q}"


rule reference_gather:
    input:
        script="scripts/reference_gather.py",
        modules=modules_of("scripts/reference_gather.py"),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        index=ancient(f"{STUDY}/datasets/{{dataset}}/data/train.parquet"),
        references=shards_of_dataset(f"{STUDY}/references/{{dataset}}/shards/{{shard}}.parquet"),
    output:
        f"{STUDY}/references/{{dataset}}.parquet",
    log:
        f"{LOGS}/references/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/references/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=pattern(SHARDED),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=2000,
    params:
        shards=lambda wildcards: SHARDED[wildcards.dataset],
        folder=lambda wildcards: f"{STUDY}/references/{wildcards.dataset}/shards",
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --index {input.index:q}"
        " --shards {params.shards} --references {params.folder:q} --output {output:q}"
