# By all measures of an environment what is drawn of a block.
rule score:
    input:
        script=ancient("scripts/score.py"),
        code=lambda w: drawing.scoring_code(w.environment, w.owner, w.block),
        samples=f"{STUDY}/samples/{{owner}}/{{block}}.parquet",
        models=lambda w: drawing.judges(w.environment, w.owner, w.block),
    output:
        f"{STUDY}/scores/{{environment}}/{{owner}}/{{block}}.parquet",
    log:
        f"{LOGS}/scores/{{environment}}/{{owner}}/{{block}}.log",
    benchmark:
        f"{BENCHMARKS}/scores/{{environment}}/{{owner}}/{{block}}.tsv"
    conda:
        lambda w: f"../envs/{w.environment}.yaml"
    resources:
        gpu=GPU,
        runtime=lambda w, attempt: drawing_resources.scoring_minutes(
            w.environment, w.owner, w.block, attempt
        ),
        mem_mb=megabytes(4000, copies=2),
    params:
        # Snakemake compares no parameter that asks for `input`: the code in it is compared there.
        plan=lambda w, input: keep_plan(drawing.scoring_plan(w.environment, w.owner, w.block)),
        scored=lambda w: as_json(drawing.scoring_parameters(w.environment, w.owner, w.block)),
        # Keeps every value under what made it, so that a new measure scores only by itself.
        store=f"{STUDY}/values",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --samples {input.samples:q} --plan {params.plan} --store {params.store:q}"
        " --label {wildcards.owner}/{wildcards.block} --output {output:q}"


rule reference:
    input:
        script=ancient("scripts/reference.py"),
        code=lambda w: evaluation.code("scripts/reference.py", w.measure),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        pictures=ancient(lambda w: evaluation.real_pictures(w.measure, w.dataset)),
        models=lambda w: evaluation.measure(w.measure).files(),
    output:
        f"{STUDY}/references/{{measure}}/{{dataset}}.parquet",
    log:
        f"{LOGS}/references/{{measure}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/references/{{measure}}/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=f"{any_of(data.whole_datasets)}|{shards_of(data.dataset_shards)}",
    conda:
        lambda w: f"../envs/{evaluation.measure(w.measure).environment}.yaml"
    resources:
        gpu=GPU,
        runtime=minutes(30),
        mem_mb=megabytes(4000, copies=2),
    params:
        resolution=study.sampling.resolution,
        measure=lambda w: as_json(evaluation.measure(w.measure).scoring()),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --pictures {input.pictures:q}"
        " --resolution {params.resolution} --measure {params.measure:q}"
        " --label {wildcards.measure}/{wildcards.dataset}"
        " --output {output:q}"


rule reference_gather:
    input:
        script=ancient("scripts/reference_gather.py"),
        code=code_of("scripts/reference_gather.py"),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        index=ancient(lambda w: evaluation.real_pictures(w.measure, w.dataset)),
        references=lambda w: data.of_shards(
            w.dataset, f"references/{w.measure}/{w.dataset}/shards/{{shard}}.parquet"
        ),
    output:
        f"{STUDY}/references/{{measure}}/{{dataset}}.parquet",
    log:
        f"{LOGS}/references/{{measure}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/references/{{measure}}/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=any_of(data.dataset_shards),
    conda:
        "../envs/data.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=2000,
    params:
        shards=lambda w: as_json(data.dataset_shards[w.dataset]),
        folder=lambda w: f"{STUDY}/references/{w.measure}/{w.dataset}/shards",
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --index {input.index:q}"
        " --shards {params.shards:q} --references {params.folder:q} --output {output:q}"


# What known damage to the pictures of a base model costs, from which margins follow.
rule calibrate:
    input:
        script=ancient("scripts/calibrate.py"),
        code=lambda w: evaluation.code("scripts/calibrate.py", w.measure),
        samples=lambda w: evaluation.calibrated_samples(w.model, w.prompts).path,
        models=lambda w: evaluation.measure(w.measure).files(),
    output:
        f"{STUDY}/calibrations/{{measure}}/{{model}}/{{prompts}}.parquet",
    log:
        f"{LOGS}/calibrations/{{measure}}/{{model}}/{{prompts}}.log",
    benchmark:
        f"{BENCHMARKS}/calibrations/{{measure}}/{{model}}/{{prompts}}.tsv"
    conda:
        lambda w: f"../envs/{evaluation.measure(w.measure).environment}.yaml"
    resources:
        gpu=GPU,
        runtime=minutes(30),
        mem_mb=megabytes(4000, copies=2),
    params:
        measure=lambda w: as_json(evaluation.measure(w.measure).scoring()),
        code=lambda w, input: drawing.code_digest(w.measure, "scripts/calibrate.py"),
        store=f"{STUDY}/values",
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --samples {input.samples:q} --variant base/{wildcards.model}"
        " --prompts {wildcards.prompts} --measure {params.measure:q}"
        " --code {params.code} --store {params.store:q}"
        " --label {wildcards.measure}/{wildcards.model}/{wildcards.prompts}"
        " --output {output:q}"


# The same to some of the real pictures, for a measure that compares with them.
rule calibrate_real:
    input:
        script=ancient("scripts/calibrate.py"),
        code=lambda w: evaluation.code("scripts/calibrate.py", w.measure),
        content=f"{STUDY}/datasets/{{dataset}}/content.json",
        pictures=ancient(lambda w: evaluation.real_pictures(w.measure, w.dataset)),
        models=lambda w: evaluation.measure(w.measure).files(),
    output:
        f"{STUDY}/calibrations/{{measure}}/{{dataset}}.parquet",
    log:
        f"{LOGS}/calibrations/{{measure}}/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/calibrations/{{measure}}/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=any_of(study.datasets),
    conda:
        lambda w: f"../envs/{evaluation.measure(w.measure).environment}.yaml"
    resources:
        gpu=GPU,
        runtime=minutes(30),
        mem_mb=megabytes(4000, copies=2),
    params:
        resolution=study.sampling.resolution,
        measure=lambda w: as_json(evaluation.measure(w.measure).scoring()),
    shell:
        "python scripts/jobs/run.py --warm --gpus {resources.gpu} --log {log} {input.script}"
        " --pictures {input.pictures:q}"
        " --resolution {params.resolution} --measure {params.measure:q}"
        " --label {wildcards.measure}/{wildcards.dataset}"
        " --output {output:q}"
