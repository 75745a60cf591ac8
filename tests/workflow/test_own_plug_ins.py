"""A study with a source and a captioner of the user's own, in files outside the package."""

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.xdist_group("workflow")

SHARDS = ("00000", "00001")
CAPTIONS = [f"results/small/captions/squares/shards/{shard}/loud.parquet" for shard in SHARDS]
SCATTER = "images_scatter_squares squares/shards/00000"  # named by its first output
ROOMS = "results/small/captions/rooms/alt.parquet"


@pytest.fixture(scope="module")
def done(new_study):
    study = new_study("plug_ins.yaml", "squares.py", "shouting.py")
    study.snakemake(*CAPTIONS, ROOMS)
    return study


def test_they_give_pictures_and_captions(done):
    tables = [pq.read_table(done.folder / path) for path in CAPTIONS]
    assert [text for table in tables for text in table["caption"].to_pylist()] == [
        "A RED SQUARE!",
        "A BLUE SQUARE!",
        "A GREEN SQUARE!",
    ]
    assert done.jobs(*CAPTIONS, ROOMS) == []


def test_a_change_of_their_files_makes_anew_what_they_made(done):
    loud = [f"caption squares/shards/{shard}/loud" for shard in SHARDS]
    done.edit("shouting.py", 'end: str = "!"', 'end: str = "?"')
    assert done.jobs(*CAPTIONS, ROOMS) == loud
    done.edit("squares.py", '"""Pixels."""', '"""Pixels of a side."""')
    alt = [job.replace("loud", "alt") for job in loud]
    jobs = ["images squares", SCATTER, *alt, *loud]
    assert done.jobs(*CAPTIONS, ROOMS) == sorted(jobs)
