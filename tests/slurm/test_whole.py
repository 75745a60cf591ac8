"""The whole miniature on the cluster: `make test-slurm-whole`."""

import os
import time

import pytest
from cluster_study import COMPARED, ON_SLURM, REPORT, ROOT, Study, make_folder

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("EMAKI_TEST_WHOLE" not in os.environ, reason="make test-slurm-whole"),
]
# A set of pictures and its scores are one job, and so are the segments of a training.
GROUPS = ["--groups", "train=chain", "train_newest=chain", "sample=drawing", "score=drawing"]
HOURS = 3600


def test_the_miniature_gives_the_bytes_that_it_gives_here(cluster, tmp_path):
    study = Study(make_folder(tmp_path), "config/config.yaml")
    started = time.monotonic()
    try:
        study.finish(study.start(REPORT, *ON_SLURM, *GROUPS), 3 * HOURS)
    finally:
        study.stop()
    minutes = (time.monotonic() - started) / 60
    made = [path for path in (tmp_path / "results").rglob("*") if path.suffix in COMPARED]
    assert len(made) > 1000
    differing = [path for path in made if not same(path, ROOT / path.relative_to(tmp_path))]
    jobs = [job for group in study.slurm_jobs().values() for job in group]
    print(f"{len(jobs)} jobs of SLURM in {minutes:.0f} minutes, {len(made)} files to compare")
    assert differing == []
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}


def same(one, other):
    return other.is_file() and one.read_bytes() == other.read_bytes()
