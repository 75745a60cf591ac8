rule images:
    input:
        script="scripts/images.py",
        modules=source_modules,
        files=source_files,
    output:
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        pictures=directory(f"{STUDY}/images/{{source}}/pictures"),
        rejects=f"{STUDY}/images/{{source}}/rejects.parquet",
    log:
        f"{LOGS}/images/{{source}}.log",
    benchmark:
        f"{BENCHMARKS}/images/{{source}}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(120),
        mem_mb=megabytes(2000, copies=2),
    params:
        source=entry_of("sources", "source"),
        stamps=source_stamps,
        folder=folder_of("metadata"),
    shell:
        "python scripts/run.py --log {log} {input.script}"
        " --source {params.source:q} --output {params.folder:q}"
