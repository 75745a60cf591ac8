"""The page on which people vote, in a real browser, and its votes read back."""

import re
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
import screenshot
import study

import ballot
from emaki.config.contests import Contest, contests
from emaki.evaluation.votes import read_votes
from emaki.report.ballot import APART, arrange, render
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.vote_files import VoteFiles

SCRIPTS = Path(__file__).parents[2] / "scripts"
needs_browser = pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study's folder with votes.html in it."""
    place = tmp_path_factory.mktemp("study")
    built = study.build(place)
    folder = place / study.FOLDER
    draw_further(place, built)
    command = [sys.executable, SCRIPTS / "ballot.py", "--study", f"{study.FOLDER}/config.json"]
    subprocess.run(
        [*command, "--output", folder / "votes.html"],
        check=True,
        cwd=place,
        env={"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"},
    )
    return folder, built


def draw_further(place, built):
    """The second block of all that people are asked about."""
    variants = {}
    for plan in EvaluationFiles(built).plans.values():
        variants |= plan["variants"]
    tables = {
        second: study.sample_table(variants[path], second, 32, 128)
        for (path, _), (_, second) in VoteFiles(built).samples().items()
    }
    study.write_parts(place, tables)


@pytest.fixture
def page():
    with chromium.running() as found:
        yield found


PROGRESS = "document.getElementById('progress').textContent"


def shown(page):
    """The pair that is asked: (prompt, left picture, right picture)."""
    find = "document.querySelector"
    return page.value(
        f"[{find}('#prompt').textContent, {find}('#left img').src, {find}('#right img').src]"
    )


def text(page):
    return page.value("document.getElementById('text').value").splitlines()[1:]


@needs_browser
def test_keys_vote_and_the_place_is_kept(made, page, tmp_path):
    folder, _ = made
    page.open(folder / "votes.html")
    first = shown(page)
    assert page.value(PROGRESS).startswith("Pair 1 of ")
    for key in ("ArrowLeft", "ArrowRight", "ArrowDown", " "):
        page.press(key)
    assert [line.split("\t")[3] for line in text(page)] == ["left", "right", "tie", "tie"]
    page.press("Backspace")
    assert page.value(PROGRESS).startswith("Pair 4 of ")
    fourth = shown(page)
    assert fourth != first
    page.open(folder / "votes.html")  # closed, and opened on another day
    assert shown(page) == fourth
    assert len(text(page)) == 3
    file = page.download(tmp_path, lambda: page.touch("#save"))
    assert file.name == "votes.tsv"
    votes = read_votes(file)
    assert [vote.said for vote in votes] == ["left", "right", "tie"]
    assert len({vote.rater for vote in votes}) == 1
    assert page.complaints == []


@needs_browser
def test_touch_votes_on_a_phone(made, page):
    folder, _ = made
    page.open(folder / "votes.html", width=390, height=844)
    assert page.value("document.documentElement.scrollWidth") <= 390
    for element in ("#left", "#right", "#tie"):
        assert page.value(f"document.querySelector('{element}').offsetHeight") >= 44
    for selector, said in (("#right", "right"), ("#tie", "tie"), ("#left", "left")):
        page.touch(selector)
        assert text(page)[-1].endswith(said)
    page.touch("#back")
    assert len(text(page)) == 2


@needs_browser
def test_the_end_is_told_and_can_be_gone_back_from(made, page):
    folder, _ = made
    page.open(folder / "votes.html")
    total = int(page.value(PROGRESS).rpartition(" ")[2])
    for _ in range(total):
        page.press("ArrowLeft")
    assert page.value(PROGRESS) == f"All {total} pairs"
    assert page.value("document.getElementById('ask').hidden") is True
    page.press("ArrowLeft")  # one vote too many is none
    assert len(text(page)) == total
    page.press("Backspace")
    assert page.value(PROGRESS) == f"Pair {total} of {total}"


@needs_browser
def test_nothing_is_wrong_on_a_wide_screen_and_on_a_phone(made):
    assert screenshot.problems(made[0] / "votes.html") == []


@needs_browser
@pytest.mark.skipif(not screenshot.axe(), reason=screenshot.AXE_MISSING)
@pytest.mark.parametrize("width", screenshot.WIDTHS.values())
def test_nothing_bars_the_way_of_a_rater_by_axe(width, made):
    assert screenshot.inaccessible(made[0] / "votes.html", width) == []


def test_the_page_is_blind_and_asks_for_nothing(made):
    folder, built = made
    html = (folder / "votes.html").read_text("utf-8")
    names = {*built.runs, *built.models, *(e.title for e in built.experiments.values())}
    assert [name for name in names if name in html] == []
    assert "default-src 'none'" in html
    assert "unsafe" not in html
    assert set(re.findall(r"https?://", html)) == set()


def test_the_same_pictures_give_the_same_bytes_and_others_another_ballot(made):
    folder, built = made
    files = VoteFiles(built)
    asked, samples = ballot.read_contests(files, folder.parents[1])
    html = (folder / "votes.html").read_text("utf-8")
    assert render(asked, samples) == html
    fewer = render(asked[:1], samples)
    name = re.compile(r'"ballot": "(\w+)"')
    assert name.search(fewer)[1] != name.search(html)[1]


def test_pairs_are_repeated_with_their_sides_exchanged_and_sides_are_random():
    asked = [(f"prompt {n}", f"a{n}", f"b{n}") for n in range(200)]
    pairs = arrange(asked, "seed")
    assert pairs == arrange(reversed(asked), "seed")
    assert pairs != arrange(asked, "another seed")
    places: dict = {}
    for place, pair in enumerate(pairs):
        places.setdefault(pair.prompt, []).append(place)
    twice = [found for found in places.values() if len(found) == 2]
    assert len(places) == 200
    assert len(twice) == len(pairs) - 200 == 25
    for first, second in twice:
        assert second - first >= APART
        assert (pairs[first].left, pairs[first].right) == (pairs[second].right, pairs[second].left)
    left = sum(pair.left.startswith("a") for pair in pairs)
    assert 80 < left < 145
    assert [pair.prompt for pair in pairs[:5]] != [f"prompt {n}" for n in range(5)]


def test_comparisons_have_prompts_of_their_own(made):
    _, built = made
    found = contests(built)
    # rank asks for r64 against the base and against r4, merging for what `full` asked already
    assert len(found) == 2 * 4
    assert {one.number for one in found if one.role == "domain"} == {40}
    assert {one.number for one in found if one.role == "unrelated"} == {20}
    assert [one.first for one in found if one.role == "domain"] == [0, 40, 80, 120]
    assert (
        Contest("lora-r64/000060/raw/1.0", "lora-r4/000060/raw/1.0", "domain", "rooms", 80, 40)
        in found
    )


def test_a_large_study_has_a_page_of_bounded_size(made):
    _, built = made
    entry = built.experiments["full"]
    runs = {f"full-{n}": built.runs["full"] for n in range(300)}
    experiments = {
        name: entry.model_copy(update={"runs": [name], "merge_alphas": []}) for name in runs
    }
    many = built.replace(runs=built.runs | runs, experiments=experiments)
    assert sum(one.number for one in contests(many)) <= 480
