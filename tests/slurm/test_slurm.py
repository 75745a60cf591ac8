"""The slurm profile on a real SLURM, which also is the witness of where and how jobs ran."""

import os
import re
import signal
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from cluster import ask, env, read, wait_for
from cluster_study import COMPARED, LONG, ON_SLURM, REPORT

pytestmark = pytest.mark.slurm
TRAINING = "rule_train_newest_wildcards_long_000900"
WEIGHTS = "results/tiny-cluster/runs/long/000900/weights/raw/pytorch_lora_weights.safetensors"
# The test's nodes, one of each model.
MACHINE = "machine={gpu: A10, gpu_models: {a10: 24, a100: 40}}"
ON_GPUS = ("train", "sample", "calibrate", "calibrate_real", "score", "latents", "reference")


def test_a_whole_study_gives_the_bytes_that_it_gives_here(study, undisturbed):
    study.run(REPORT, *ON_SLURM, "--config", MACHINE)
    made = {
        str(path.relative_to(undisturbed.folder))
        for path in (undisturbed.folder / "results").rglob("*")
        if path.suffix in COMPARED and "/long/" not in str(path)
    }
    assert len(made) > 30
    assert [file for file in sorted(made) if study.read(file) != undisturbed.read(file)] == []

    jobs = study.slurm_jobs()
    assert len(jobs) == 12
    for comment, (job,) in jobs.items():  # one each: nothing was tried twice
        gpu = comment.removeprefix("rule_").startswith(ON_GPUS)
        assert job["JobState"] == "COMPLETED"
        assert job["Partition"] == ("gpu" if gpu else "cpu")
        model = "a10:" if comment.startswith("rule_train") else ""
        assert job.get("TresPerJob") == (f"gres:gpu:{model}1" if gpu else None)
        assert job["JobName"].startswith("emaki_")
    print(overhead(study, [job for (job,) in jobs.values()]))


def test_trainings_at_the_same_time_have_a_gpu_each(before_training):
    text = (before_training.folder / "long.yaml").read_text()
    more = "".join(f"  long{n}: {{extends: long, seed: {n}}}\n" for n in (1, 2))
    (before_training.folder / "long.yaml").write_text(text + more)
    others = [LONG.replace("/long/", f"/long{n}/") for n in (1, 2)]
    process = before_training.start(LONG, *others, *ON_SLURM)
    scripts = wait_for(lambda: processes("scripts/train.py", 3), 120)
    devices = [device_of(script) for script in scripts]
    jobs = [job for group in before_training.slurm_jobs().values() for job in group]
    given = [(job["Nodes"], re.search(r"IDX:(\d)", job["GRES"])[1]) for job in jobs]
    assert len(set(given)) == 3
    assert sorted(devices) == sorted(given)
    process.send_signal(signal.SIGINT)  # Ctrl-C cancels them
    process.wait(120)
    wait_for(lambda: not ask("squeue", "--noheader"), 60)


def test_a_preempted_training_goes_on_and_ends_the_same(before_training, undisturbed):
    process = before_training.start(LONG, *ON_SLURM)
    before_training.wait_for_training()
    urgent = ["-p", "urgent", "-N2", "--gpus-per-node=2", "--output=/dev/null", "--wrap=sleep 2"]
    subprocess.run(["sbatch", *urgent], check=True)
    before_training.finish(process)
    (job,) = before_training.slurm_jobs()[TRAINING]
    assert job["Restarts"] == "1"
    assert_resumed_and_the_same(before_training, undisturbed)


def test_a_preempted_group_of_segments_goes_on_and_ends_the_same(before_training, undisturbed):
    study = before_training
    text = (study.folder / "long.yaml").read_text()
    assert text.count("checkpoint_every: 900") == 1
    segmented = text.replace("checkpoint_every: 900", "checkpoint_every: 300")
    (study.folder / "long.yaml").write_text(segmented)
    process = study.start(LONG, *ON_SLURM, "--groups", "train=chain", "train_newest=chain")
    second = study.folder / "logs/tiny-cluster/runs/long/000600.log"
    wait_for(lambda: second.exists() and re.search(r"\d+/300 steps", second.read_text()), 180)
    urgent = ["-p", "urgent", "-N2", "--gpus-per-node=2", "--output=/dev/null", "--wrap=sleep 2"]
    subprocess.run(["sbatch", *urgent], check=True)
    study.finish(process)
    (jobs,) = study.slurm_jobs().values()
    assert [(job["Restarts"], job["JobState"]) for job in jobs] == [("1", "COMPLETED")]
    assert re.search(r"going on after step [3-5]\d\d, where", second.read_text())
    assert study.read(WEIGHTS) == undisturbed.read(WEIGHTS)


def test_a_training_that_ran_out_of_time_goes_on_and_ends_the_same(before_training, undisturbed):
    short = ["train_newest:runtime=5 * attempt", "train_newest:slurm_extra='--signal=TERM@30'"]
    process = before_training.start(LONG, *ON_SLURM, "--set-resources", *short)
    before_training.wait_for_training()
    (job,) = before_training.slurm_jobs()[TRAINING]
    assert job["TimeLimit"] == "00:05:00"
    # SLURM gives the signal up to a minute early, which may be before the first step
    subprocess.run(["scontrol", "update", f"JobId={job['JobId']}", "TimeLimit=1"], check=True)
    before_training.finish(process)
    first, last = before_training.slurm_jobs()[TRAINING]
    assert first["JobState"] == "FAILED"  # it ended before SLURM had to end it
    assert (last["TimeLimit"], last["JobState"]) == ("00:10:00", "COMPLETED")
    assert_resumed_and_the_same(before_training, undisturbed)


def test_after_a_killed_snakemake_one_command_goes_on(before_training, undisturbed):
    process = before_training.start(LONG, *ON_SLURM)
    before_training.wait_for_training()
    process.kill()
    process.wait()
    resumed = before_training.start(LONG, *ON_SLURM, program=["scripts/jobs/resume.py"])
    before_training.finish(resumed)
    first, second = before_training.slurm_jobs()[TRAINING]
    assert first["JobState"] == "CANCELLED"
    assert second["JobState"] == "COMPLETED"
    assert first["EndTime"] <= second["StartTime"]  # they never wrote at the same time
    assert_resumed_and_the_same(before_training, undisturbed)


def test_a_job_that_somebody_cancels_is_tried_again(before_training, undisturbed):
    process = before_training.start(LONG, *ON_SLURM)
    before_training.wait_for_training()
    (job,) = before_training.slurm_jobs()[TRAINING]
    subprocess.run(["scancel", job["JobId"]], check=True)
    before_training.finish(process)
    assert_resumed_and_the_same(before_training, undisturbed)


def test_a_training_whose_node_is_lost_runs_elsewhere(before_training, undisturbed, cluster):
    process = before_training.start(LONG, *ON_SLURM)
    before_training.wait_for_training()
    (job,) = before_training.slurm_jobs()[TRAINING]
    lost = job["NodeList"]
    cluster.lose_node(lost)
    try:
        before_training.finish(process, 1200)  # SLURM alone waits for two or three minutes
    finally:
        cluster.bring_back_node(lost)
    (job,) = before_training.slurm_jobs()[TRAINING]
    assert (job["Restarts"], job["JobState"]) == ("1", "COMPLETED")
    assert job["NodeList"] in {"gpu1", "gpu2"} - {lost}
    assert before_training.read(LONG) == undisturbed.read(LONG)
    assert before_training.read(WEIGHTS) == undisturbed.read(WEIGHTS)


def test_the_controller_is_restarted(before_training, undisturbed, cluster):
    process = before_training.start(LONG, *ON_SLURM)
    before_training.wait_for_training()
    cluster.stop("slurmctld")
    cluster.start_controller()
    before_training.finish(process)
    (job,) = before_training.slurm_jobs()[TRAINING]
    assert job["Restarts"] == "0"
    assert before_training.read(WEIGHTS) == undisturbed.read(WEIGHTS)


def test_a_job_out_of_memory_is_tried_again_with_more(before_training, undisturbed):
    little = "train_newest:mem_mb=300 * 10 ** (attempt - 1)"
    before_training.run(LONG, *ON_SLURM, "--set-resources", little)
    first, last = before_training.slurm_jobs()[TRAINING]
    assert first["MinMemoryNode"] == "300M"
    assert first["JobState"] != "COMPLETED"
    assert (last["MinMemoryNode"], last["JobState"]) == ("3000M", "COMPLETED")
    assert before_training.read(WEIGHTS) == undisturbed.read(WEIGHTS)


def assert_resumed_and_the_same(study, undisturbed):
    assert re.search(r"going on after step [1-9]\d*, where", study.training_log())
    assert study.read(LONG) == undisturbed.read(LONG)
    assert study.read(WEIGHTS) == undisturbed.read(WEIGHTS)


def processes(text, count):
    """The folders in /proc of `count` processes with `text` in their command; [] if not so many."""
    found = [
        path.parent
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if text in read(path).split("\0")[1:2] and "SLURM_JOB_ID" in env(path.parent)
    ]
    return found if len(found) == count else []


def device_of(process):
    """(node, the device that CUDA would show) of a process."""
    return env(process)["SLURMD_NODENAME"], env(process)["CUDA_VISIBLE_DEVICES"]


def overhead(study, jobs):
    """How long jobs waited, ran and worked, in words."""
    start, end, submit = (
        [datetime.fromisoformat(job[f"{key}Time"]).timestamp() for job in jobs]
        for key in ("Start", "End", "Submit")
    )
    ran = sum(end) - sum(start)
    tables = [path for path in (study.folder / "results").rglob("benchmarks/**/*.tsv")]
    worked = sum(float(path.read_text().splitlines()[1].split("\t")[0]) for path in tables)
    count = len(jobs)
    return (
        f"{count} jobs in {max(end) - min(submit):.0f} s: each ran {ran / count:.1f} s, of which"
        f" the rule {worked / count:.1f} s; {os.cpu_count()} cores"
    )
