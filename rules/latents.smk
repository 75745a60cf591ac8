rule latents:
    input:
        script="scripts/latents.py",
        modules=modules_of("scripts/latents.py"),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        train=ancient(f"{STUDY}/datasets/{{dataset}}/data/train.parquet"),
        validation=ancient(f"{STUDY}/datasets/{{dataset}}/data/validation.parquet"),
        model=lambda wildcards: model_files(wildcards.model, "vae", "text_encoder", "tokenizer"),
    output:
        manifest=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/manifest.json",
        index=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/index.parquet",
        moments=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/moments.safetensors",
        text=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/text.safetensors",
    log:
        f"{LOGS}/latents/{{dataset}}/{{model}}/{{transform}}.log",
    benchmark:
        f"{BENCHMARKS}/latents/{{dataset}}/{{model}}/{{transform}}.tsv"
    wildcard_constraints:
        dataset=PIECES,
    conda:
        "../envs/training.yaml"
    resources:
        gpu=gpus(),
        runtime=minutes(60),
        mem_mb=megabytes(4000, copies=2),
    params:
        dataset=folder_of_input("content"),
        model=lambda wildcards: config["models"][wildcards.model]["path"],
        transform=transform_arguments,
        folder=folder_of("manifest"),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --dataset {params.dataset:q}"
        " --model {params.model:q} {params.transform} --output {params.folder:q}"


rule latents_gather:
    input:
        script="scripts/latents_gather.py",
        modules=modules_of("scripts/latents_gather.py"),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        train=ancient(f"{STUDY}/datasets/{{dataset}}/data/train.parquet"),
        validation=ancient(f"{STUDY}/datasets/{{dataset}}/data/validation.parquet"),
        manifests=shards_of_dataset(
            f"{STUDY}/latents/{{dataset}}/shards/{{shard}}/{{model}}/{{transform}}/manifest.json"
        ),
        indices=shards_of_dataset(
            f"{STUDY}/latents/{{dataset}}/shards/{{shard}}/{{model}}/{{transform}}/index.parquet"
        ),
    output:
        manifest=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/manifest.json",
        index=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/index.parquet",
    log:
        f"{LOGS}/latents/{{dataset}}/{{model}}/{{transform}}.log",
    benchmark:
        f"{BENCHMARKS}/latents/{{dataset}}/{{model}}/{{transform}}.tsv"
    wildcard_constraints:
        dataset=pattern(SHARDED),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=10),
    params:
        dataset=folder_of_input("content"),
        shards=lambda wildcards: SHARDED[wildcards.dataset],
        folder=folder_of("manifest"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --dataset {params.dataset:q}"
        " --shards {params.shards} --output {params.folder:q}"
