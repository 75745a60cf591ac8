rule grid:
    input:
        script="scripts/grid.py",
        modules=modules_of("scripts/grid.py"),
        samples=lambda wildcards: samples_of(wildcards).values(),
    output:
        report(
            f"{STUDY}/grids/{{experiment}}/{{grid}}.png",
            category="{experiment}",
            labels={"grid": "{grid}"},
        ),
    log:
        f"{LOGS}/grids/{{experiment}}/{{grid}}.log",
    wildcard_constraints:
        grid=pattern(sorted({Path(name).name for name in GRIDS})),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=lambda wildcards: as_json(grids(config, wildcards.experiment)[wildcards.grid]),
        samples=lambda wildcards: pairs(samples_of(wildcards)),
    shell:
        "python scripts/jobs/run.py --warm --log {log} {input.script} --plan {params.plan:q}"
        " --samples {params.samples} --output {output:q}"


rule compare:
    input:
        script="scripts/compare.py",
        modules=modules_of("scripts/compare.py"),
        scores=lambda wildcards: scores_of(wildcards.experiment).values(),
        reference=reference_of,
    output:
        f"{STUDY}/experiments/{{experiment}}.json",
    log:
        f"{LOGS}/experiments/{{experiment}}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=lambda wildcards: as_json(comparisons(config, wildcards.experiment)),
        scores=lambda wildcards: pairs(scores_of(wildcards.experiment)),
    shell:
        "python scripts/jobs/run.py --warm --log {log} {input.script} --plan {params.plan:q}"
        " --scores {params.scores} --reference {input.reference:q} --output {output:q}"


rule config:
    output:
        f"{STUDY}/config.json",
    log:
        f"{LOGS}/config.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        # a function, because a string's braces would be wildcards
        config=lambda wildcards: as_json(
            {key: value for key, value in config.items() if key != "machine"}
        ),
    shell:
        "printf '%s\n' {params.config:q} > {output:q} 2> {log:q}"


rule report:
    input:
        script="scripts/report.py",
        modules=modules_of("scripts/report.py"),
        templates=sorted(
            str(path)
            for path in Path("scripts/emaki/report/templates").glob("*")
            if path.is_file()
        ),
        config=f"{STUDY}/config.json",
        experiments=expand(
            f"{STUDY}/experiments/{{experiment}}.json", experiment=config["experiments"]
        ),
        grids=GRIDS.values(),
        metrics=METRICS.values(),
        cards=[f"{dataset}/card.json" for dataset in DATASETS],
        sheets=[f"{dataset}/contact_sheet.png" for dataset in DATASETS],
    output:
        f"{STUDY}/report.html",
    log:
        f"{LOGS}/report.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        grids=pairs(GRIDS),
        metrics=pairs(METRICS),
        datasets=DATASETS,
        # no input: results that came without their timings would all be made again
        benchmarks=BENCHMARKS,
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --config {input.config:q}"
        " --experiments {input.experiments} --grids {params.grids} --metrics {params.metrics}"
        " --datasets {params.datasets} --benchmarks {params.benchmarks} --output {output:q}"


# results/report.html is always that of the config in use.
rule publish:
    input:
        f"{STUDY}/report.html",
    output:
        "results/report.html",
    log:
        f"{LOGS}/publish.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    shell:
        "cp {input:q} {output:q} 2> {log:q}"
