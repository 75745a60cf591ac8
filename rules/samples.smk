# A block of a set of prompts, so that a longer set makes nothing anew that a shorter one has.
rule prompts:
    input:
        script=ancient("scripts/prompts.py"),
        code=code_of("scripts/prompts.py"),
        dataset=lambda w: data.prompts_dataset(w.prompts),
    output:
        f"{STUDY}/prompts/{{prompts}}/{{block}}.parquet",
    log:
        f"{LOGS}/prompts/{{prompts}}/{{block}}.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        prompts=lambda w: as_json(data.prompts_of_block(w.prompts, w.block)),
        dataset=lambda w, input: (
            f"--dataset {Path(input.dataset[0]).parents[1]}" if input.dataset else ""
        ),
    shell:
        'python scripts/jobs/run.py --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --prompts {wildcards.prompts} --block {wildcards.block} {params.dataset}"
        " --output {output:q}"


rule sample:
    input:
        script=ancient("scripts/sample.py"),
        code=lambda w: variants.code(w.variant),
        prompts=f"{STUDY}/prompts/{{prompts}}/{{block}}.parquet",
        model=lambda w: variants.model_files(w.variant),
        about=lambda w: variants.description(w.variant),
        weights=ancient(lambda w: variants.weights(w.variant)),
    output:
        f"{STUDY}/samples/{{variant}}/{{prompts}}/{{block}}.parquet",
    log:
        f"{LOGS}/samples/{{variant}}/{{prompts}}/{{block}}.log",
    benchmark:
        f"{BENCHMARKS}/samples/{{variant}}/{{prompts}}/{{block}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        gpu=GPU,
        runtime=minutes(60),
        mem_mb=megabytes(4000, copies=2),
    params:
        model=lambda w: variants.model(w.variant),
        weights=lambda w: variants.weights_arguments(w.variant),
        sampling=as_json(study.sampling.model_dump()),
        # Keeps every picture under what made it, so that a new prompt draws only its own.
        store=f"{STUDY}/pictures",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --model {params.model:q}"
        " {params.weights} --sampling {params.sampling:q} --prompts {input.prompts:q}"
        " --store {params.store:q} --label {wildcards.variant}/{wildcards.prompts}/{wildcards.block}"
        " --output {output:q}"
