rule captions:
    input:
        script="scripts/captions.py",
        modules=modules_of("scripts/captions.py"),
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        of=captions_below,
        edits=edits_of,
    output:
        f"{STUDY}/captions/{{source}}/{{captioner}}.parquet",
    log:
        f"{LOGS}/captions/{{source}}/{{captioner}}.log",
    benchmark:
        f"{BENCHMARKS}/captions/{{source}}/{{captioner}}.tsv"
    wildcard_constraints:
        captioner=names("captions", type=["alt", "keyword", "table"]),
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        captioner=entry_of("captions", "captioner"),
        images=folder_of_input("metadata"),
        of=lambda wildcards, input: f"--of {input.of}" if input.of else "",
        edits=lambda wildcards, input: f"--edits {quote(input.edits)}" if input.edits else "",
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --captioner {params.captioner:q}"
        " --images {params.images:q} {params.of} {params.edits} --output {output:q}"


rule captions_blip:
    input:
        script="scripts/captions_blip.py",
        modules=modules_of("scripts/captions_blip.py"),
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        pictures=ancient(lambda wildcards: stored_pictures(wildcards.source)),
        model=blip_files,
    output:
        f"{STUDY}/captions/{{source}}/{{captioner}}.parquet",
    log:
        f"{LOGS}/captions/{{source}}/{{captioner}}.log",
    benchmark:
        f"{BENCHMARKS}/captions/{{source}}/{{captioner}}.tsv"
    wildcard_constraints:
        captioner=names("captions", type=["blip"]),
    conda:
        "../envs/captioning.yaml"
    resources:
        gpu=gpus(),
        runtime=minutes(120),
        mem_mb=megabytes(4000, copies=2),
    params:
        captioner=entry_of("captions", "captioner"),
        images=folder_of_input("metadata"),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --captioner {params.captioner:q}"
        " --images {params.images:q} --output {output:q}"


use rule captions_blip as captions_image_text with:
    input:
        script="scripts/captions_image_text.py",
        modules=modules_of("scripts/captions_image_text.py"),
        metadata=f"{STUDY}/images/{{source}}/metadata.parquet",
        pictures=ancient(lambda wildcards: stored_pictures(wildcards.source)),
        model=image_text_files,
    wildcard_constraints:
        captioner=names("captions", type=["image-text-to-text"]),
