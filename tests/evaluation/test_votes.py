"""Votes are read back, counted, and compared with what measures say."""

import pytest

from emaki.common.errors import UserError
from emaki.evaluation.measures import KIND
from emaki.evaluation.metrics import metrics_of
from emaki.evaluation.votes import Place, Sides, Vote, count, picture_id, read_votes, wilson

HEAD = "rater\tleft\tright\tvote\n"
NUMBER = 20
PROMPTS = [f"prompt {n}" for n in range(NUMBER)]
SIDES = [Sides("run", "base", "domain", "rooms")]


def picture(variant, prompt):
    return picture_id(f"{variant} {prompt}")


PLACES = {
    picture(variant, prompt): Place(variant, "rooms", prompt, 0)
    for variant in ("run", "base", "other")
    for prompt in PROMPTS
}


def vote(prompt, said, rater="a"):
    """`said` is run, base or tie; the run's picture is on the left of every second prompt."""
    pictures = [picture("run", prompt), picture("base", prompt)]
    sides = ["run", "base"]
    if PROMPTS.index(prompt) % 2:
        pictures, sides = pictures[::-1], sides[::-1]
    side = "tie" if said == "tie" else ("left", "right")[sides.index(said)]
    return Vote(rater, *pictures, side)


def counted(votes, scores=None, measures=None):
    metrics = metrics_of(measures or {"kid": KIND.read({"type": "kid"})})
    return count(votes, PLACES, SIDES, metrics, scores or {})


def test_wins_do_not_depend_on_the_side():
    votes = [vote(prompt, "run") for prompt in PROMPTS[:15]]
    votes += [vote(prompt, "base") for prompt in PROMPTS[15:19]] + [vote(PROMPTS[19], "tie")]
    (found,) = counted(votes)["contests"]
    assert (found["prompts"], found["ties"], found["wins"]) == (20, 1, 15.5 / 20)
    assert found["low"] == pytest.approx(0.555, abs=0.01)
    assert found["high"] == pytest.approx(0.905, abs=0.01)
    turned = count(votes, PLACES, [Sides("base", "run", "domain", "rooms")], {}, {})
    assert turned["contests"][0]["wins"] == 4.5 / 20


def test_a_pair_counts_once_however_often_it_was_asked():
    votes = [vote(PROMPTS[0], "run"), vote(PROMPTS[0], "run"), vote(PROMPTS[1], "base")]
    votes += [vote(PROMPTS[0], "base", "b"), vote(PROMPTS[1], "base", "b")]
    (found,) = counted(votes)["contests"]
    assert (found["prompts"], found["wins"], found["ties"]) == (2, 0.25, 1)


def test_a_rater_who_says_the_same_twice_is_steady():
    turned = vote(PROMPTS[0], "run")
    turned = turned._replace(left=turned.right, right=turned.left, said="right")
    votes = [vote(PROMPTS[0], "run"), turned, vote(PROMPTS[1], "run"), vote(PROMPTS[1], "base")]
    assert counted(votes)["raters"] == [{"rater": "a", "votes": 4, "repeated": 2, "steady": 1}]


def test_votes_on_pictures_that_are_gone_are_told():
    strange = Vote("a", picture("run", PROMPTS[0]), "0" * 12, "left")
    crossed = Vote("a", picture("run", PROMPTS[0]), picture("base", PROMPTS[1]), "left")
    found = counted([strange, crossed, vote(PROMPTS[2], "run")])
    assert (found["votes"], found["unknown"]) == (3, 2)
    assert found["contests"][0]["prompts"] == 1


def test_a_measure_that_points_where_people_do_agrees():
    measures = {
        "good": KIND.read({"type": "clip-score", "model": "clip"}),
        "bad": KIND.read({"type": "preference", "model": "clip"}),
    }
    preferred = {prompt: "run" if number < 12 else "base" for number, prompt in enumerate(PROMPTS)}
    scores = {}
    for measure, sign in (("good", 1), ("bad", -1)):
        for side in ("run", "base"):
            scores[measure, side, "domain"] = {
                (prompt, 0): sign * float(preferred[prompt] == side) for prompt in PROMPTS
            }
    scores["bad", "run", "domain"][PROMPTS[0], 0] = scores["bad", "base", "domain"][PROMPTS[0], 0]
    votes = [vote(prompt, said) for prompt, said in preferred.items()]
    found = counted(votes, scores, measures)["agreement"]
    assert [(one["metric"], one["prompts"], one["agrees"]) for one in found] == [
        ("domain_good", 20, 1),
        ("domain_bad", 20, 0.5 / 20),  # of one pair it sees no difference
    ]
    assert 0.8 < found[0]["low"] < 1


def test_without_a_preference_nothing_is_said_of_measures():
    measures = {"good": KIND.read({"type": "clip-score", "model": "clip"})}
    scores = {("good", side, "domain"): {(PROMPTS[0], 0): 1.0} for side in ("run", "base")}
    assert counted([vote(PROMPTS[0], "tie")], scores, measures)["agreement"] == []


@pytest.mark.parametrize(
    ("wins", "number", "low", "high"),
    [(0, 10, 0, 0.278), (10, 10, 0.722, 1), (5, 10, 0.237, 0.763), (50, 100, 0.404, 0.596)],
)
def test_wilsons_interval(wins, number, low, high):
    """The values of R's prop.test(wins, number, correct = FALSE)."""
    assert wilson(wins, number) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: is '', not the columns rater, left, right, vote between tabs"),
        ("rater,left,right,vote\n", ":1: is 'rater,left,right,vote', not the columns"),
        (HEAD + "a\tb\tc\tleft\na\tb\tc\n", ":3: has 3 columns, not 4"),
        (HEAD + "a\tb\tc\tlefft\n", ":2: vote is 'lefft', but must be left, right or tie; did you"),
        (HEAD + "a\tb\tb\tleft\n", ":2: left and right are the same picture 'b'"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(text, said, tmp_path):
    (tmp_path / "votes.tsv").write_text(text)
    with pytest.raises(UserError) as raised:
        read_votes(tmp_path / "votes.tsv")
    assert f"{tmp_path / 'votes.tsv'}{said}" in str(raised.value)


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "votes.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_votes(tmp_path / "votes.tsv")


def test_files_that_were_put_together_and_saved_by_a_spreadsheet_are_read(tmp_path):
    text = f"\ufeff{HEAD}a\tb\tc\tleft\r\n\r\n{HEAD}a\tb\tc\ttie\r\n"
    (tmp_path / "votes.tsv").write_text(text, "utf-8")
    assert read_votes(tmp_path / "votes.tsv") == [
        Vote("a", "b", "c", "left"),
        Vote("a", "b", "c", "tie"),
    ]
