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
        "python scripts/run.py --log {log} {input.script} --name {wildcards.dataset}"
        " --dataset {params.dataset:q} --images {params.images:q} --captions {input.captions:q}"
        " --output {params.folder:q}"
