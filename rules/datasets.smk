rule dataset:
    input:
        script="scripts/dataset.py",
        modules=modules_of("scripts/dataset.py"),
        metadata=images_of("metadata.parquet"),
        rejects=images_of("rejects.parquet"),
        pictures=ancient(images_of("pictures")),
        captions=captions_of,
    output:
        train=f"{STUDY}/datasets/{{dataset}}/data/train.parquet",
        validation=f"{STUDY}/datasets/{{dataset}}/data/validation.parquet",
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        card=f"{STUDY}/datasets/{{dataset}}/README.md",
        counts=f"{STUDY}/datasets/{{dataset}}/card.json",
        contact_sheet=f"{STUDY}/datasets/{{dataset}}/contact_sheet.png",
    log:
        f"{LOGS}/datasets/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/datasets/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=pattern(WHOLE),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=2),
    params:
        dataset=entry_of("datasets", "dataset"),
        images=folder_of_input("metadata"),
        folder=folder_of("card"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --name {wildcards.dataset}"
        " --dataset {params.dataset:q} --images {params.images:q} --captions {input.captions:q}"
        " --output {params.folder:q}"


use rule dataset as dataset_shard with:
    input:
        script="scripts/dataset_shard.py",
        modules=modules_of("scripts/dataset_shard.py"),
        metadata=images_of("metadata.parquet"),
        rejects=images_of("rejects.parquet"),
        pictures=ancient(lambda wildcards: stored_pictures(source_of(wildcards))),
        captions=captions_of,
    output:
        train=f"{STUDY}/datasets/{{dataset}}/data/train.parquet",
        validation=f"{STUDY}/datasets/{{dataset}}/data/validation.parquet",
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        rows=f"{STUDY}/datasets/{{dataset}}/rows.parquet",
        rejects=f"{STUDY}/datasets/{{dataset}}/rejects.parquet",
    wildcard_constraints:
        dataset=f"({pattern(SHARDED)}){SHARD}",
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=0),
    params:
        dataset=lambda wildcards: as_json(dataset_entry(wildcards)),
        images=folder_of_input("metadata"),
        folder=folder_of("content"),


rule dataset_gather:
    input:
        script="scripts/dataset_gather.py",
        modules=modules_of("scripts/dataset_gather.py"),
        content=shards_of_dataset(f"{STUDY}/datasets/{{dataset}}/shards/{{shard}}/content.json"),
        rows=shards_of_dataset(f"{STUDY}/datasets/{{dataset}}/shards/{{shard}}/rows.parquet"),
        rejects=shards_of_dataset(f"{STUDY}/datasets/{{dataset}}/shards/{{shard}}/rejects.parquet"),
    output:
        train=f"{STUDY}/datasets/{{dataset}}/data/train.parquet",
        validation=f"{STUDY}/datasets/{{dataset}}/data/validation.parquet",
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        card=f"{STUDY}/datasets/{{dataset}}/README.md",
        counts=f"{STUDY}/datasets/{{dataset}}/card.json",
        contact_sheet=f"{STUDY}/datasets/{{dataset}}/contact_sheet.png",
    log:
        f"{LOGS}/datasets/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/datasets/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=pattern(SHARDED),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=10),
    params:
        dataset=entry_of("datasets", "dataset"),
        shards=lambda wildcards: SHARDED[wildcards.dataset],
        folder=folder_of("card"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --name {wildcards.dataset}"
        " --dataset {params.dataset:q} --shards {params.shards} --output {params.folder:q}"
