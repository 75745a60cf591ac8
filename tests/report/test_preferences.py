"""Votes on a study's pictures, from the page's own pairs to the report."""

import json
import re
import subprocess
import sys

import pytest
import study
import yaml
from test_report import SCRIPTS, run_scripts
from test_votes_page import draw_further

from emaki.common import digests, parquet_groups
from emaki.common.errors import UserError
from emaki.config import load, read_saved, save
from emaki.evaluation.votes import picture_id
from emaki.workflow.vote_files import VoteFiles


def run(place, script, output):
    command = [sys.executable, SCRIPTS / script, "--study", f"{study.FOLDER}/config.json"]
    subprocess.run(
        [*command, "--output", f"{study.FOLDER}/{output}"],
        check=True,
        cwd=place,
        env={"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def voted(tmp_path_factory):
    """A study's folder with a report, after somebody liked the LoRA and disliked the fine-tune."""
    place = tmp_path_factory.mktemp("study")
    entries = {name: study.EXPERIMENTS[name] for name in ("lora", "full")}
    built = study.build(place, experiments=entries)
    folder = place / study.FOLDER
    draw_further(place, built)
    run(place, "ballot.py", "votes.html")
    drew = {}
    for (variant, _), parts in VoteFiles(built).samples().items():
        for part in parts:
            for key in parquet_groups.read(part.below(place), ["key"])["key"].to_pylist():
                drew[picture_id(key)] = variant
    html = (folder / "votes.html").read_text("utf-8")
    pairs = json.loads(re.search(r'"pairs": (\[\[.*?\]\])', html)[1])
    liking = {"lora-r4": 1, "base": 0, "full": -1}
    lines = ["rater\tleft\tright\tvote"]
    for _, left, right in pairs:
        ours, theirs = (liking[drew[side].split("/")[0]] for side in (left, right))
        lines.append(f"somebody\t{left}\t{right}\t{'left' if ours > theirs else 'right'}")
    (folder / "votes.tsv").write_text("\n".join(lines) + "\n")
    save(
        read_saved(folder / "config.json").replace(votes=[f"{study.FOLDER}/votes.tsv"]),
        folder / "config.json",
    )
    run(place, "votes.py", "votes.json")
    return run_scripts(place, read_saved(folder / "config.json"))


def test_votes_come_back_as_preferences(voted):
    found = digests.read_json(voted / "votes.json")
    assert (found["votes"], found["unknown"]) == (135, 0)
    wins = {(one["variant"].split("/")[0], one["role"]): one["wins"] for one in found["contests"]}
    assert wins == {
        ("lora-r4", "domain"): 1,
        ("lora-r4", "unrelated"): 1,
        ("full", "domain"): 0,
        ("full", "unrelated"): 0,
    }
    (rater,) = found["raters"]
    assert rater == {"rater": "somebody", "votes": 135, "repeated": 15, "steady": 15}
    agrees = {one["metric"]: one["agrees"] for one in found["agreement"]}
    assert agrees["domain_clip_score"] > 0.95
    assert "domain_kid" not in agrees  # no number for a picture


def test_the_report_says_what_people_prefer_and_who_agrees(voted):
    text = " ".join((voted / "report.html").read_text("utf-8").split())
    people = text[text.index('<section id="people">') :]
    assert "135 votes of 1 rater, who did not know" in people
    assert "Follows its prompts<small>its prompts</small>" in people
    assert "of 15 pairs shown twice the same said of 15" in people
    entry = text[text.index('id="full"') :]
    entry = entry[entry.index("What people prefer") : entry.index("Which one to take")]
    assert "full, 60 steps<small>against tiny, its prompts</small>" in entry
    assert entry.count("<td>not preferred</td>") == 2


def test_a_file_of_votes_that_is_not_there_is_told_beforehand(voted, tmp_path):
    config = yaml.safe_load((voted / "config.yaml").read_text())
    config["models"]["tiny"]["path"] = str(voted / "sd")
    config["measures"] = {"kid": {"type": "kid", "margin": 20.0}}
    config["votes"] = ["config/votes/nobody.tsv"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    with pytest.raises(
        UserError, match=r"votes\[0\] is config/votes/nobody\.tsv, which is no file"
    ):
        load(tmp_path / "config.yaml")
