"""A cluster, and a study that runs on it and has run without it."""

import shutil

import pytest
from cluster import Cluster
from cluster_study import LOCALLY, LONG, REPORT, Study, make_folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    cluster.up()
    yield cluster
    cluster.down()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The studies, run on this machine without SLURM. Not to be changed."""
    study = Study(make_folder(tmp_path_factory.mktemp("undisturbed")))
    study.run(REPORT, *LOCALLY)
    study.run(LONG, *LOCALLY)
    return study


@pytest.fixture
def study(undisturbed, cluster, tmp_path):
    """A folder where nothing has run."""
    study = Study(make_folder(tmp_path))
    yield study
    study.stop()


@pytest.fixture
def before_training(undisturbed, cluster, tmp_path):
    """A folder where only the long training is missing."""
    folder = tmp_path / "study"
    shutil.copytree(undisturbed.folder, folder, symlinks=True)
    for part in ("runs", "states", "benchmarks/runs"):
        shutil.rmtree(folder / "results/tiny-cluster" / part / "long")
    shutil.rmtree(folder / "logs")
    (folder / "snakemake.log").unlink()
    study = Study(folder)
    yield study
    study.stop()
