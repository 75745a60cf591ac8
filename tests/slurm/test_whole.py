"""The whole miniature on the cluster: `make test-slurm-whole`."""

import os

import pytest
from cluster_study import COMPARED, ON_SLURM, REPORT, ROOT, Study, make_folder

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("EMAKI_TEST_WHOLE" not in os.environ, reason="make test-slurm-whole"),
]
RESULTS = ROOT / "results/miniature"
# A set of pictures and its scores are one job, and so are the segments of a training.
GROUPS = ["--groups", "train=chain", "train_newest=chain", "sample=drawing", "score=drawing"]
HOURS = 3600


def test_the_miniature_gives_the_bytes_that_it_gives_here(cluster, tmp_path):
    here = {str(path.relative_to(ROOT)) for path in RESULTS.rglob("*") if path.suffix in COMPARED}
    assert len(here) > 1000
    study = Study(make_folder(tmp_path), "config/config.yaml")
    try:
        study.finish(study.start(REPORT, *ON_SLURM, *GROUPS), 3 * HOURS)
    finally:
        study.stop()
    assert [file for file in sorted(here) if study.read(file) != (ROOT / file).read_bytes()] == []
    jobs = [job for group in study.slurm_jobs().values() for job in group]
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    print(f"{len(here)} files the same; {len(jobs)} jobs of SLURM")
