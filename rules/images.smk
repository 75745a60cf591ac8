rule images:
    input:
        script=ancient("scripts/images.py"),
        code=lambda w: data.source_code(w.source),
        files=lambda w: data.source(w.source).inputs(),
    output:
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        pictures=directory(f"{STUDY}/images/{{source}}/pictures"),
        rejects=f"{STUDY}/images/{{source}}/rejects.parquet",
    log:
        f"{LOGS}/images/{{source}}.log",
    benchmark:
        f"{BENCHMARKS}/images/{{source}}.tsv"
    wildcard_constraints:
        source=any_of(data.stored_sources),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(120),
        mem_mb=megabytes(2000, copies=2),
    params:
        source=lambda w: data.source_entry(w.source),
        stamps=lambda w: as_json(data.source(w.source).stamps()),
        folder=folder_of("metadata"),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script}"
        " --source {params.source:q} --output {params.folder:q}"


# A shard of its own for each file of such a source, in which the pictures stay.
use rule images as images_archive with:
    input:
        script=ancient("scripts/images.py"),
        code=lambda w: data.source_code(w.source),
        files=lambda w: data.source(w.source).inputs(),
    output:
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        rejects=f"{STUDY}/images/{{source}}/rejects.parquet",
    wildcard_constraints:
        source=shards_of(data.archives),
    resources:
        runtime=minutes(120),
        mem_mb=megabytes(2000, copies=0),
    params:
        source=lambda w: data.source_entry(w.source),
        folder=folder_of("metadata"),


# A rule for each source, because each has as many outputs as its `shards` say.
for source, shards in data.source_shards.items():
    if source not in data.archives:

        rule:
            name:
                f"images_scatter_{source}"
            input:
                script=ancient("scripts/scatter.py"),
                code=code_of("scripts/scatter.py"),
                metadata=f"{STUDY}/images/{source}/metadata.parquet",
                rejects=f"{STUDY}/images/{source}/rejects.parquet",
            output:
                expand(
                    f"{STUDY}/images/{source}/shards/{{shard}}/{{file}}.parquet",
                    shard=shards,
                    file=["metadata", "rejects"],
                ),
            log:
                f"{LOGS}/images/{source}.scatter.log",
            localrule: True
            conda:
                "../envs/data.yaml"
            params:
                images=f"{STUDY}/images/{source}",
                shards=as_json(shards),
            shell:
                "python scripts/jobs/run.py --log {log} {input.script} --images {params.images:q}"
                " --shards {params.shards:q} --output {params.images:q}/shards"
