from emaki.workflow import accepting


# The study in full. The name of what is copied has the digest of its content.
rule config:
    output:
        f"{STUDY}/config.json",
    log:
        f"{LOGS}/config.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        study=STUDY_FILE,
    shell:
        "cp {params.study} {output:q} 2> {log:q}"


rule grid:
    input:
        script=ancient("scripts/grid.py"),
        code=code_of("scripts/grid.py"),
        samples=lambda w: files_in([evaluation.samples(w.experiment, w.grid)]),
    output:
        report(
            f"{STUDY}/grids/{{experiment}}/{{grid}}.png",
            category="{experiment}",
            labels={"grid": "{grid}"},
        ),
    log:
        f"{LOGS}/grids/{{experiment}}/{{grid}}.log",
    wildcard_constraints:
        grid=any_of(evaluation.grid_names),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=lambda w: as_json(evaluation.grid_plan(w.experiment, w.grid)),
    shell:
        'python scripts/jobs/run.py --warm --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --experiment {wildcards.experiment} --grid {wildcards.grid}"
        " --output {output:q}"


# How far trainings lie apart, from all runs by several seeds.
rule spread:
    input:
        script=ancient("scripts/spread.py"),
        code=evaluation.code("scripts/spread.py"),
        scores=files_in(evaluation.spread_scores().values()),
        references=[
            path
            for experiment in evaluation.recipes
            for path in evaluation.references(experiment).values()
        ],
    output:
        f"{STUDY}/spreads.json",
    log:
        f"{LOGS}/spreads.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=as_json(evaluation.spread_parameters()),
    shell:
        'python scripts/jobs/run.py --warm --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --output {output:q}"


# After so many prompts: what is decided, and what is drawn further. Not after the last, when
# nothing is. One for the whole study, since Snakemake plans anew after each.
checkpoint look:
    input:
        script=ancient("scripts/look.py"),
        code=evaluation.code("scripts/look.py"),
        before=lambda w: [evaluation.look(n) for n in range(1, int(w.look))],
        scores=lambda w: files_in(evaluation.look_scores(int(w.look)).values()),
        references=lambda w: [
            path
            for experiment in evaluation.look_scores(int(w.look))
            for path in evaluation.references(experiment).values()
        ],
        calibrations=lambda w: [
            path
            for experiment in evaluation.look_scores(int(w.look))
            for path in evaluation.calibrations(experiment).values()
        ],
        spreads=lambda w: evaluation.spreads(*evaluation.look_scores(int(w.look))),
    output:
        evaluation.look("{look}"),
    log:
        f"{LOGS}/looks/{{look}}.log",
    wildcard_constraints:
        look=any_of(map(str, evaluation.looks.numbers())),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=lambda w: as_json(evaluation.look_parameters(int(w.look))),
    shell:
        'python scripts/jobs/run.py --warm --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --look {wildcards.look} --output {output:q}"


rule compare:
    input:
        script=ancient("scripts/compare.py"),
        code=evaluation.code("scripts/compare.py"),
        looks=lambda w: map(evaluation.look, evaluation.looks.asked(w.experiment)),
        scores=lambda w: files_in([evaluation.scores(w.experiment)]),
        references=lambda w: evaluation.references(w.experiment).values(),
        calibrations=lambda w: evaluation.calibrations(w.experiment).values(),
        spreads=lambda w: evaluation.spreads(w.experiment),
    output:
        f"{STUDY}/experiments/{{experiment}}.json",
    log:
        f"{LOGS}/experiments/{{experiment}}.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=lambda w: as_json(evaluation.comparison_plan(w.experiment)),
    shell:
        'python scripts/jobs/run.py --warm --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --experiment {wildcards.experiment} --output {output:q}"


rule report:
    input:
        script=ancient("scripts/report.py"),
        code=evaluation.code("scripts/report.py"),
        templates=sorted(
            str(path)
            for path in Path("scripts/emaki/report/templates").glob("*")
            if path.is_file()
        ),
        config=f"{STUDY}/config.json",
        experiments=[evaluation.answers(experiment) for experiment in study.experiments],
        grids=evaluation.shown_grids(),
        votes=votes.counted() or [],
        nearest=nearest.shown(),
        accepted=list(filter(Path.is_file, [accepting.file_in(STUDY)])),
        about=[file for measure in study.measures.values() for file in measure.about_files()],
        metrics=evaluation.shown_metrics(),
        cards=[f"{dataset}/card.json" for dataset in evaluation.shown_datasets()],
        sheets=[f"{dataset}/contact_sheet.png" for dataset in evaluation.shown_datasets()],
    output:
        index=f"{STUDY}/report.html",
        pages=[directory(folder) for folder in evaluation.entry_pages()],
    log:
        f"{LOGS}/report.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    shell:
        # It reads timings too. They are no input: results that came without would be made again.
        'python scripts/jobs/run.py --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --output {output.index:q}"


# results/report.html is always that of the config in use, and beside it the page for votes and, of
# an index, the entries' pages.
rule publish:
    input:
        f"{STUDY}/report.html",
        votes.ballot(),
        evaluation.entry_pages(),
    output:
        "results/report.html",
        "results/votes.html",
        [directory("results/report") for _ in evaluation.entry_pages()],
    log:
        f"{LOGS}/publish.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    shell:
        "{{ rm -rf results/report && cp -r {input:q} results; }} 2> {log:q}"
