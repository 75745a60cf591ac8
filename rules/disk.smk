# Disk is a budget: what cannot fit is refused before the first job.
from emaki.costs.study_plan import refuse


onstart:
    # Snakemake 9.27.1 limits jobs to 100 a second, for which it looks for jobs again a second after
    # each look: after hundreds of jobs it does nothing else. `jobs` and `cores` are limits enough.
    workflow.scheduler.job_rate_limiter = None
    # One target alone may well fit where the study does not.
    if set(workflow.dag_settings.targets) <= {
        "all",
        "results/report.html",
        f"{STUDY}/report.html",
    }:
        try:
            refuse(config, STUDY)
        except UserError as error:
            sys.exit(f"error: {error}")
