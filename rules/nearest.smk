# Which training pictures the drawn ones are nearest to, shown side by side in the report.
from emaki.workflow.nearest_files import NearestFiles

nearest = NearestFiles(study)


rule nearest:
    input:
        script=ancient("scripts/nearest.py"),
        code=evaluation.code("scripts/nearest.py"),
        samples=lambda w: sorted({part.path for part in nearest.samples(w.experiment).values()}),
        scores=lambda w: sorted({part.path for part in nearest.scores(w.experiment).values()}),
        reference=lambda w: nearest.reference(w.experiment),
        content=lambda w: nearest.content(w.experiment),
        pictures=ancient(lambda w: nearest.training_pictures(w.experiment)),
    output:
        f"{STUDY}/nearest/{{experiment}}.parquet",
    log:
        f"{LOGS}/nearest/{{experiment}}.log",
    wildcard_constraints:
        experiment=any_of(nearest.variants),
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        plan=lambda w: as_json(nearest.plan(w.experiment)),
    shell:
        'python scripts/jobs/run.py --warm --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --experiment {wildcards.experiment} --output {output:q}"
