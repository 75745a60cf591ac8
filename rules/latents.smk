rule latents:
    input:
        script=ancient("scripts/latents.py"),
        code=lambda w: models.code("scripts/latents.py", w.model),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        train=ancient(f"{STUDY}/datasets/{{dataset}}/data/train.parquet"),
        validation=ancient(f"{STUDY}/datasets/{{dataset}}/data/validation.parquet"),
        model=lambda w: models.parts(w.model, "vae", "encoders", "tokenizers"),
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
        dataset=f"{any_of(data.whole_datasets)}|{shards_of(data.dataset_shards)}",
    conda:
        "../envs/training.yaml"
    resources:
        gpu=GPU,
        runtime=minutes(60),
        mem_mb=megabytes(4000, copies=2),
    params:
        dataset=folder_of_input("content"),
        model=lambda w: models.folder(w.model),
        transform=lambda w: transform_arguments(w.transform),
        folder=folder_of("manifest"),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --dataset {params.dataset:q}"
        " --model {params.model:q} {params.transform} --output {params.folder:q}"


rule latents_gather:
    input:
        script=ancient("scripts/latents_gather.py"),
        code=code_of("scripts/latents_gather.py"),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        train=ancient(f"{STUDY}/datasets/{{dataset}}/data/train.parquet"),
        validation=ancient(f"{STUDY}/datasets/{{dataset}}/data/validation.parquet"),
        manifests=lambda w: data.of_shards(
            w.dataset,
            f"latents/{w.dataset}/shards/{{shard}}/{w.model}/{w.transform}/manifest.json",
        ),
        indices=lambda w: data.of_shards(
            w.dataset,
            f"latents/{w.dataset}/shards/{{shard}}/{w.model}/{w.transform}/index.parquet",
        ),
    output:
        manifest=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/manifest.json",
        index=f"{STUDY}/latents/{{dataset}}/{{model}}/{{transform}}/index.parquet",
    log:
        f"{LOGS}/latents/{{dataset}}/{{model}}/{{transform}}.log",
    benchmark:
        f"{BENCHMARKS}/latents/{{dataset}}/{{model}}/{{transform}}.tsv"
    wildcard_constraints:
        dataset=any_of(data.dataset_shards),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=10),
    params:
        dataset=folder_of_input("content"),
        shards=lambda w: as_json(data.dataset_shards[w.dataset]),
        folder=folder_of("manifest"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --dataset {params.dataset:q}"
        " --shards {params.shards:q} --output {params.folder:q}"
