"""What Emaki asks of Snakemake beyond what it documents: all of it is here, and nowhere else.

Seen in Snakemake 9.27.1. `tests/workflow/test_snakemake_internals.py` asks the installed one and
fails where a new version has another answer.
"""

import functools
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emaki.common.files import sha256
from emaki.workflow.code_files import file_of, is_code
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
    """The jobs that this start will run only because code has changed. From `onstart` on.

    Its own code, or that of a job that it reads from. Not those that the config, data or the
    command line would run anyway. None with `--touch`, which makes nothing.
    """
    if workflow.touch:
        return []
    dag = workflow.dag
    found: dict[Any, tuple[set[str], bool]] = {}
    for job in itertools.chain.from_iterable(dag.toposorted(set(dag.needrun_jobs()))):
        before = [found[other] for other in dag.dependencies[job] if other in found]
        code = {name for output in job.output for name in _changed_code(workflow, job, output)}
        asked = any(asked for _, asked in before) or _is_asked_for(workflow, job)
        found[job] = code.union(*(code for code, _ in before)), asked
    remade = {job: code for job, (code, asked) in found.items() if code and not asked}
    later = _later_blocks(dag, remade) if any(job.is_checkpoint for job in found) else []
    return [*(_remade(job, code) for job, code in remade.items()), *later]


def accept_code(workflow: "Workflow") -> list[Remade]:
    """Let results count as made by the code that is there; return those whose code had changed.

    Results that took time, so that they have a benchmark file, and what they are made of. Nothing
    else is changed in Snakemake's records: what the config or data ask for is still made. To be
    called by `onstart`.
    """
    dag, found = workflow.dag, []
    roots = [job for job in dag.jobs if job.benchmark or job.is_checkpoint]
    for job in dag.bfs(dag.dependencies, *roots):
        accepted = set()
        for output in job.output:
            if code := _changed_code(workflow, job, output):
                _record_code(workflow.persistence, job, output)
                accepted |= code
        if accepted:
            found.append(_remade(job, accepted))
    return found


def _later_blocks(dag, remade):
    """Results of blocks of prompts that Snakemake does not know of before a look is made again."""
    known = {str(job.benchmark) for job in dag.jobs if job.benchmark}
    return [
        _remade(job, code)._replace(benchmark=path)
        for job, code in remade.items()
        if job.benchmark and "block" in job.wildcards_dict
        for path in sorted(map(str, Path(str(job.benchmark)).parent.glob("*.tsv")))
        if path not in known
    ]


def _remade(job, code):
    return Remade(job.rule.name, str(job.benchmark or ""), sorted(code))


def _is_asked_for(workflow, job):
    """Whether a job would run if no code had changed."""
    reason, persistence = workflow.dag.reason(job), workflow.persistence
    of_code = _code_paths(job)
    data = {str(path) for path in job.input} - of_code
    return bool(
        reason.forced
        or not any(os.path.exists(str(output)) for output in job.output)
        or persistence.params_changed(job)
        or not of_code.issuperset(map(str, reason.updated_input))
        or any(data != recorded - of_code for recorded in _recorded_inputs(persistence, job))
    )


def _recorded_inputs(persistence, job):
    """The inputs of a job's results, without files that stood for code."""
    records = filter(None, map(persistence.input, job.output))
    return [{path for path in record if not is_code(path)} for record in records]


def _changed_code(workflow, job, output):
    """Names of the code that is another than when an output was made."""
    persistence = workflow.persistence
    record = persistence.metadata(output)
    if record is None:
        return set()
    now, before = _code_inputs(job), record.input_checksums or {}
    paths = {path for path in before if is_code(path)} | now.keys()
    changed = {file_of(path) for path in paths if now.get(path) != before.get(path)}
    if record.code not in (None, persistence._code(job.rule)):
        changed.add(f"the rule {job.rule.name}")
    if record.software_stack_hash not in (None, persistence._software_stack_hash(job)):
        changed.add(f"the environment of {job.rule.name}")
    return changed


def _record_code(persistence, job, output):
    """Write down that an output was made by the code that is there."""
    record, of_code = persistence.metadata(output).model_copy(), _code_paths(job)
    inputs, checksums = {*(record.input or [])}, record.input_checksums or {}
    of_code |= set(filter(is_code, inputs))
    now = {str(path) for path in persistence._input(job)}
    record.input = sorted(inputs - of_code | now & of_code)
    record.input_checksums = {p: d for p, d in checksums.items() if p not in of_code}
    record.input_checksums |= _code_inputs(job)
    record.code = persistence._code(job.rule)
    record.software_stack_hash = persistence._software_stack_hash(job)
    persistence._write_record(persistence._get_key(output), record)


def _code_paths(job):
    """What among a job's inputs is code: what stands for files, and these themselves, which were
    the inputs before."""
    inputs = _code_inputs(job)
    return inputs.keys() | set(map(file_of, inputs))


def _code_inputs(job):
    """{input that stands for code: its checksum, as Snakemake writes it}."""
    return {str(path): _checksum(str(path)) for path in job.input if is_code(str(path))}


@functools.cache
def _checksum(path):
    return f"sha256:{sha256(path)}"


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
