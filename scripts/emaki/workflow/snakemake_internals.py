"""What Emaki asks of Snakemake beyond what it documents: all of it is here, and nowhere else.

Seen in Snakemake 9.27.1. `tests/workflow/test_snakemake_internals.py` asks the installed one and
fails where a new version has another answer.
"""

import os
from typing import TYPE_CHECKING, Any

from emaki.workflow.remaking import Remade

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

TABLE_OF_JOBS = "Job stats:\n"


def config_files(workflow: "Workflow") -> list[str]:
    """The files after `--configfile`, or the profile's where the command line has none.

    Emaki reads its file itself: Snakemake would merge it over another one, key by key, and would
    keep the last of two entries with one name.
    """
    return [str(path) for path in workflow.overwrite_configfiles]


def config_arguments(workflow: "Workflow") -> dict[str, Any]:
    """What `--config` and the profile's `config` say, without what the files say.

    Snakemake's own `config` has both in one.
    """
    return dict(workflow.config_settings.config)


def offers(workflow: "Workflow", resource: str) -> bool:
    """Whether the profile or `--resources` gives the jobs some of a resource.

    Snakemake cuts what a job asks for down to what there is, without a word.
    """
    return resource in workflow.global_resources


def requested_targets(workflow: "Workflow") -> set[str]:
    """The targets of the command line as they stand there; empty where it names none.

    Known from `onstart` on: rules are read before.
    """
    return set(workflow.dag_settings.targets)


def jobs_to_run(workflow: "Workflow") -> list[tuple[str, dict[str, str]]]:
    """(rule, wildcards) of the jobs that this start will run. Known from `onstart` on."""
    return [(job.rule.name, dict(job.wildcards.items())) for job in workflow.dag.needrun_jobs()]


def remade_jobs(workflow: "Workflow") -> list[Remade]:
    """The jobs of this start whose results, some of them at least, are there. From `onstart` on.

    None with `--touch`, which makes nothing.
    """
    if workflow.touch:
        return []
    found = []
    for job in workflow.dag.needrun_jobs():
        if any(os.path.exists(str(output)) for output in job.output):
            updated = workflow.dag.reason(job).updated_input
            benchmark = str(job.benchmark) if job.benchmark else ""
            found.append(Remade(job.rule.name, benchmark, sorted(map(str, updated))))
    return found


def runs_elsewhere(workflow: "Workflow") -> bool:
    """Whether jobs are handed to a scheduler instead of running on this machine."""
    return bool(workflow.non_local_exec)


def lift_job_rate_limit(workflow: "Workflow") -> None:
    """Start jobs as soon as there is room for them. To be called by `onstart`.

    Snakemake limits jobs to 100 a second, for which it looks for jobs again a second after each
    look: after hundreds of jobs it does nothing else. `--max-jobs-per-timespan` has no value that
    turns it off, and with a longer timespan Snakemake waits as long at its end.
    """
    workflow.scheduler.job_rate_limiter = None


def job_table(output: str) -> list[str]:
    """The lines of the table of jobs in what a dry run prints; [] where nothing is to be done.

    `job  count`, a rule, the names divided by spaces, the last line `total`.
    """
    if TABLE_OF_JOBS not in output:
        return []
    return output.partition(TABLE_OF_JOBS)[2].partition("\n\n")[0].splitlines()
