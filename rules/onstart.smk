# Before the first job, and before Snakemake's own lock.
from emaki.config.derived import run_of
from emaki.workflow import accepting, at_work, clock, remaking
from emaki.costs.preflight import TO_DO, check_study, find_slow_runs, page, refuse_runs
from emaki.costs.study_plan import refuse

for process, other in at_work.find_others():
    print(at_work.explain(process, other, study.study), file=sys.stderr)


onstart:
    if accepting.ASKED in os.environ:
        if told := accepting.note(STUDY, snakemake_internals.accept_code(workflow)):
            print(told, file=sys.stderr)
        sys.exit(0)
    at_work.register(study.study)
    snakemake_internals.lift_job_rate_limit(workflow)
    jobs = snakemake_internals.jobs_to_run(workflow)
    if not snakemake_internals.runs_elsewhere(workflow):
        segments = [
            wildcards["segment"] for rule, wildcards in jobs if rule.startswith("train")
        ]
        runs = list(dict.fromkeys(run_of(run_name(segment)) for segment in segments))
        if slow := find_slow_runs(study, runs):
            print(slow, file=sys.stderr)
        try:
            refuse_runs(study, runs)
        except UserError as error:
            sys.exit(f"error: {error}")
    try:
        clock.refuse(STUDY)
        remaking.refuse(snakemake_internals.remade_jobs(workflow))
    except UserError as error:
        sys.exit(f"error: {error}")
    # What cannot fit on the disk is refused; one target alone may well fit.
    whole = {"all", "results/report.html", f"{STUDY}/report.html"}
    if snakemake_internals.requested_targets(workflow) <= whole:
        try:
            refuse(study, STUDY)
        except UserError as error:
            sys.exit(f"error: {error}")
        # Before the first download all else is looked at as well.
        if models.download(jobs):
            checks = list(check_study(study, snakemake_internals.runs_elsewhere(workflow)))
            print(page(checks), file=sys.stderr)
            if any(check.verdict == TO_DO for check in checks):
                sys.exit("error: put right what is to do above, and start again")
