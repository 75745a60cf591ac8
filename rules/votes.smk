# What people say. The page asks about pictures that are drawn for the comparisons anyway.
from emaki.workflow.vote_files import VoteFiles

votes = VoteFiles(study)


rule ballot:
    input:
        script=ancient("scripts/ballot.py"),
        code=code_of("scripts/ballot.py"),
        parts=sorted(map(str, Path("scripts/emaki/report/ballot_parts").iterdir())),
        samples=files_in([votes.samples()]),
    output:
        votes.ballot(),
    log:
        f"{LOGS}/ballot.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        contests=as_json(votes.contests),
    shell:
        'python scripts/jobs/run.py --warm --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --output {output:q}"


rule count_votes:
    input:
        script=ancient("scripts/votes.py"),
        code=evaluation.code("scripts/votes.py"),
        votes=study.votes,
        samples=files_in([votes.samples()]),
        scores=files_in([votes.scores()]),
    output:
        f"{STUDY}/votes.json",
    log:
        f"{LOGS}/votes.log",
    localrule: True
    conda:
        "../envs/report.yaml"
    params:
        contests=as_json(votes.contests),
        votes=study.votes,
    shell:
        'python scripts/jobs/run.py --log {log} {input.script} --study "$EMAKI_STUDY"'
        " --output {output:q}"
