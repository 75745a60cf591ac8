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
    wildcard_constraints:
        block=any_of(evaluation.block_names),
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


# Of a block all that a base model or a run draws for any experiment.
rule sample:
    input:
        script=ancient("scripts/sample.py"),
        code=lambda w: variants.code(w.owner),
        prompts=lambda w: drawing.prompts(w.owner, w.block).values(),
        model=lambda w: variants.model_files(w.owner),
        about=lambda w: [
            f"{path}/checkpoint.json" for path in drawing.checkpoints(w.owner, w.block)
        ],
        weights=ancient(
            lambda w: [f"{path}/weights" for path in drawing.checkpoints(w.owner, w.block)]
        ),
    output:
        f"{STUDY}/samples/{{owner}}/{{block}}.parquet",
    log:
        f"{LOGS}/samples/{{owner}}/{{block}}.log",
    benchmark:
        f"{BENCHMARKS}/samples/{{owner}}/{{block}}.tsv"
    conda:
        "../envs/evaluation.yaml"
    resources:
        gpu=GPU,
        runtime=lambda w, attempt: drawing_resources.drawing_minutes(w.owner, w.block, attempt),
        mem_mb=lambda w, input, attempt: drawing_resources.drawing_mb(w.owner, input, attempt),
    params:
        model=lambda w: variants.model(w.owner),
        plan=lambda w: keep_plan(drawing.drawing_plan(w.owner, w.block)),
        sampling=as_json(study.sampling.model_dump()),
        # Keeps every picture under what made it, so that a new prompt draws only its own.
        store=f"{STUDY}/pictures",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --model {params.model:q} --plan {params.plan} --sampling {params.sampling:q}"
        " --store {params.store:q} --block {wildcards.block} --output {output:q}"
