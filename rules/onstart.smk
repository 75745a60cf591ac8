# Before the first job.
from emaki.costs.study_plan import refuse


onstart:
    snakemake_internals.lift_job_rate_limit(workflow)
    # What cannot fit on the disk is refused; one target alone may well fit.
    whole = {"all", "results/report.html", f"{STUDY}/report.html"}
    if snakemake_internals.requested_targets(workflow) <= whole:
        try:
            refuse(study, STUDY)
        except UserError as error:
            sys.exit(f"error: {error}")
