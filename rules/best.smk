# What `make best` exports. Which model it is, is known once all are compared.
from emaki.workflow.best_files import BestFiles

best = BestFiles(
    study,
    find_choice=lambda experiment: checkpoints.choose.get(experiment=experiment)
    and best.read_choice(experiment),
)


checkpoint choose:
    input:
        script=ancient("scripts/choose.py"),
        code=code_of("scripts/choose.py"),
        answers=lambda w: best.answers(w.experiment),
    output:
        f"{STUDY}/best/{{experiment}}.json",
    log:
        f"{LOGS}/best/{{experiment}}-choice.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        take=lambda w: best.take(w.experiment),
    shell:
        "python scripts/jobs/run.py --log {log} {input.script} --answers {input.answers:q}"
        " {params.take} --output {output:q}"


rule export:
    input:
        script=ancient("scripts/export.py"),
        code=lambda w: best.code(w.experiment),
        choice=f"{STUDY}/best/{{experiment}}.json",
        answers=lambda w: best.answers(w.experiment),
        about=lambda w: best.files(w.experiment),
        weights=ancient(lambda w: best.weights(w.experiment)),
        grids=lambda w: best.grids(w.experiment),
        cards=lambda w: best.cards(w.experiment),
    output:
        directory(f"{STUDY}/best/{{experiment}}"),
    log:
        f"{LOGS}/best/{{experiment}}.log",
    conda:
        "../envs/evaluation.yaml"
    resources:
        runtime=minutes(30),
        mem_mb=megabytes(1000, copies=3),
    params:
        weights=lambda w: best.arguments(w.experiment),
        card=lambda w: as_json(best.card_settings(w.experiment)),
    shell:
        'python scripts/jobs/run.py --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --experiment {wildcards.experiment} {params.weights} --output {output:q}"
