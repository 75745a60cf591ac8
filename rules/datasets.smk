rule dataset:
    input:
        script=ancient("scripts/dataset.py"),
        code=code_of("scripts/dataset.py"),
        metadata=lambda w: data.images(w.dataset, "metadata.parquet"),
        rejects=lambda w: data.images(w.dataset, "rejects.parquet"),
        pictures=ancient(lambda w: data.pictures(data.source_of(w.dataset))),
        captions=lambda w: data.captions(w.dataset),
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
        dataset=any_of(data.whole_datasets),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=2),
    params:
        dataset=lambda w: as_json(data.dataset(w.dataset).model_dump()),
        images=folder_of_input("metadata"),
        folder=folder_of("card"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --name {wildcards.dataset}"
        " --dataset {params.dataset:q} --images {params.images:q} --captions {input.captions:q}"
        " --output {params.folder:q}"


use rule dataset as dataset_shard with:
    input:
        script=ancient("scripts/dataset_shard.py"),
        code=code_of("scripts/dataset_shard.py"),
        metadata=lambda w: data.images(w.dataset, "metadata.parquet"),
        rejects=lambda w: data.images(w.dataset, "rejects.parquet"),
        pictures=ancient(lambda w: data.pictures(data.source_of(w.dataset))),
        captions=lambda w: data.captions(w.dataset),
    output:
        train=f"{STUDY}/datasets/{{dataset}}/data/train.parquet",
        validation=f"{STUDY}/datasets/{{dataset}}/data/validation.parquet",
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        rows=f"{STUDY}/datasets/{{dataset}}/rows.parquet",
        rejects=f"{STUDY}/datasets/{{dataset}}/rejects.parquet",
    wildcard_constraints:
        dataset=shards_of(data.dataset_shards),
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=0),
    params:
        dataset=lambda w: as_json(data.dataset(w.dataset).model_dump()),
        images=folder_of_input("metadata"),
        folder=folder_of("content"),


rule dataset_gather:
    input:
        script=ancient("scripts/dataset_gather.py"),
        code=code_of("scripts/dataset_gather.py"),
        content=lambda w: data.of_shards(
            w.dataset, f"datasets/{w.dataset}/shards/{{shard}}/content.json"
        ),
        rows=lambda w: data.of_shards(
            w.dataset, f"datasets/{w.dataset}/shards/{{shard}}/rows.parquet"
        ),
        rejects=lambda w: data.of_shards(
            w.dataset, f"datasets/{w.dataset}/shards/{{shard}}/rejects.parquet"
        ),
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
        dataset=any_of(data.dataset_shards),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(2000, copies=10),
    params:
        dataset=lambda w: as_json(data.dataset(w.dataset).model_dump()),
        shards=lambda w: as_json(data.dataset_shards[w.dataset]),
        folder=folder_of("card"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --name {wildcards.dataset}"
        " --dataset {params.dataset:q} --shards {params.shards:q} --output {params.folder:q}"
