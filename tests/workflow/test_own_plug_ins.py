"""A study with a source, a captioner and a measure of the user's own, in files of their own."""

import json
import re

import pyarrow.parquet as pq
import pytest

SHARDS = ("00000", "00001")
CAPTIONS = [f"results/small/captions/squares/shards/{shard}/loud.parquet" for shard in SHARDS]
SCATTER = "images_scatter_squares squares/shards/00000"  # named by its first output
REPORT = "results/report.html"
ROOMS = "results/small/captions/rooms/alt.parquet"


@pytest.fixture(scope="module")
def done(new_study):
    study = new_study("plug_ins.yaml", "squares.py", "shouting.py", "redness.py")
    study.snakemake(*CAPTIONS, ROOMS, REPORT)
    return study


def test_they_give_pictures_and_captions(done):
    tables = [pq.read_table(done.folder / path) for path in CAPTIONS]
    assert [text for table in tables for text in table["caption"].to_pylist()] == [
        "A RED SQUARE!",
        "A BLUE SQUARE!",
        "A GREEN SQUARE!",
    ]
    assert done.jobs(*CAPTIONS, ROOMS) == []


def test_the_measure_gets_into_the_report(done):
    answers = json.loads((done.folder / "results/small/experiments/own.json").read_text())
    assert -255 <= answers["variants"]["base/tiny"]["metrics"]["domain_redness"] <= 255
    assert "The mean of red less that of green." in (done.folder / REPORT).read_text()
    assert done.jobs() == []


def test_a_change_of_the_measure_scores_by_it_alone(done):
    done.edit("redness.py", "float(red - green)", "float(green - red)")
    scored = [job for job in done.jobs() if job.startswith(("sample", "score", "train"))]
    assert scored == ["score evaluation/base/tiny/0", "score evaluation/squares/0"]
    told = done.snakemake("results/small/scores/evaluation/squares/0.parquet").stderr
    assert re.search(r"squares/0: pictures scored: \d+ by redness$", told, re.MULTILINE)


def test_a_change_of_their_files_makes_anew_what_they_made(done):
    loud = [f"caption squares/shards/{shard}/loud" for shard in SHARDS]
    done.edit("shouting.py", 'end: str = "!"', 'end: str = "?"')
    assert done.jobs(*CAPTIONS, ROOMS) == loud
    done.edit("squares.py", 'f"a {colour} square"', 'f"one {colour} square"')
    alt = [job.replace("loud", "alt") for job in loud]
    jobs = ["images squares", SCATTER, *alt, *loud]
    assert done.jobs(*CAPTIONS, ROOMS) == sorted(jobs)
