# Captioners without a model: moments, beside Snakemake.
rule caption:
    input:
        script=ancient("scripts/caption.py"),
        code=lambda w: data.captioner_code(w.captioner),
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        files=lambda w: data.captioner(w.captioner).files(),
        of=lambda w: data.captions_below(w.source, w.captioner),
    output:
        f"{STUDY}/captions/{{source}}/{{captioner}}.parquet",
    log:
        f"{LOGS}/captions/{{source}}/{{captioner}}.log",
    benchmark:
        f"{BENCHMARKS}/captions/{{source}}/{{captioner}}.tsv"
    wildcard_constraints:
        captioner=any_of(data.captioners(needs_gpu=False)),
    localrule: True
    conda:
        lambda w: f"../envs/{data.captioner(w.captioner).environment}.yaml"
    params:
        captioner=lambda w: as_json(data.captioner(w.captioner).model_dump()),
        images=folder_of_input("metadata"),
        of=lambda w, input: f"--of {input.of}" if input.of else "",
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --captioner {params.captioner:q}"
        " --images {params.images:q} {params.of} --output {output:q}"


# A model looks at the pictures.
rule caption_by_model:
    input:
        script=ancient("scripts/caption.py"),
        code=lambda w: data.captioner_code(w.captioner),
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        pictures=ancient(lambda w: data.pictures(w.source)),
        files=lambda w: data.captioner(w.captioner).files(),
        of=lambda w: data.captions_below(w.source, w.captioner),
    output:
        f"{STUDY}/captions/{{source}}/{{captioner}}.parquet",
    log:
        f"{LOGS}/captions/{{source}}/{{captioner}}.log",
    benchmark:
        f"{BENCHMARKS}/captions/{{source}}/{{captioner}}.tsv"
    wildcard_constraints:
        captioner=any_of(data.captioners(needs_gpu=True)),
    conda:
        lambda w: f"../envs/{data.captioner(w.captioner).environment}.yaml"
    resources:
        gpu=GPU,
        runtime=minutes(120),
        mem_mb=megabytes(4000, copies=2),
    params:
        captioner=lambda w: as_json(data.captioner(w.captioner).model_dump()),
        images=folder_of_input("metadata"),
        of=lambda w, input: f"--of {input.of}" if input.of else "",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --captioner {params.captioner:q}"
        " --images {params.images:q} {params.of} --output {output:q}"
