# Disk is a budget: what cannot fit is refused before the first job.
from emaki.planning import refuse


onstart:
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
