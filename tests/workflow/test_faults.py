"""Seeded faults of small studies: the same bytes in the end, and no damage is ever used.

`make test-faults` has all 288 of them, in a study with every stage, in an hour or more on two cores
(EMAKI_FAULTS, EMAKI_FAULTS_SEED); elsewhere it is a few damaged hand-overs of the small study.
"""

import os
import subprocess

import faults
import pytest

COUNT = int(os.environ.get("EMAKI_FAULTS", "0"))
SEED = int(os.environ.get("EMAKI_FAULTS_SEED", "1"))
DISK = "size=1g,mode=755"  # of memory, taken as it fills
CHOSEN = faults.choose(COUNT, SEED)
DAMAGES = [f for f in CHOSEN if f[0] in (*faults.DAMAGES, "vanish")]
OTHERS = sorted(f for f in CHOSEN if f[0] not in (*faults.DAMAGES, "vanish"))
REPORTS = ("results/report.html",)
TARGETS = (*REPORTS, "results/faults/best/lora", "results/faults/best/merging")
long = pytest.mark.skipif(not COUNT, reason="make test-faults asks for it")


def test_a_few_damaged_hand_overs_are_not_used(finished, tmp_path):
    trials = faults.Trials(finished, tmp_path, SEED, REPORTS)
    for kind, before, after in (
        ("cut", "images/rooms/rejects.parquet", "datasets/rooms/content.json"),
        ("swap", "prompts/rooms/0000-0002.parquet", "samples/base/tiny/0.parquet"),
        ("swap", "scores/evaluation/base/tiny/0.parquet", "experiments/lora.json"),
        ("empty", "experiments/keyword.json", "report.html"),
        ("swap", "grids/lora/*.png", "report.html"),
    ):
        trials.hand_over(kind, before, after)
    assert trials.found == {("cut", "noticed"): 1, ("swap", "noticed"): 3, ("empty", "noticed"): 1}
    trials.delete_what_was_told()
    trials.check(report=True)


@pytest.fixture(scope="module")
def whole(new_study, tmp_path_factory):
    """The study of faults.yaml, to which nothing has happened."""
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("warm"))  # nobody else's warm process
    study = new_study("faults.yaml", "edits.csv", "votes.tsv")
    study.snakemake(*TARGETS)
    return study


@pytest.fixture(scope="module")
def tried(whole, tmp_path_factory, request):
    """Trials in one copy, which is made anew after a failure."""
    trials = faults.Trials(whole, tmp_path_factory.mktemp("trials"), SEED, TARGETS)
    yield trials
    say(request, trials)


@pytest.fixture(scope="module")
def on_small_disk(whole, tmp_path_factory, request):
    """Trials on a disk that can be filled."""
    place = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", place]
    if os.getuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a disk that can be filled")
    try:
        trials = faults.Trials(whole, place, SEED, TARGETS)
        yield trials
        say(request, trials)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def say(request, trials):
    """What happened, on the terminal."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    for (kind, outcome), number in sorted(trials.found.items()):
        reporter.write_line(f"\n{kind}: {number} {outcome}")


@long
@pytest.mark.parametrize(("kind", "number"), DAMAGES)
def test_damaged_hand_overs(kind, number, tried):
    with tried.afresh():
        tried.hand_over(kind, *faults.HAND_OVERS[number])


@long
def test_what_errors_say_is_to_be_deleted_is_made_anew(tried):
    assert len(tried.told) > len(DAMAGES) / 10
    with tried.afresh():
        tried.delete_what_was_told()
        tried.check(report=True)


@long
@pytest.mark.parametrize(("kind", "script"), OTHERS)
def test_faults(kind, script, request):
    trials = request.getfixturevalue("on_small_disk" if kind == "full disk" else "tried")
    with trials.afresh():
        trials.befall(kind, script)
        trials.check()
