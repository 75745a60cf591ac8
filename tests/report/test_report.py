"""The report as a reader gets it: from the scripts, in a real browser."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import hostile
import pyarrow.parquet as parquet
import pytest
import screenshot
import study
from PIL import Image
from study import run_scripts

from emaki.common import digests
from emaki.config import read_saved
from emaki.config.settings import Claim
from emaki.costs import timings as taken
from emaki.evaluation.measures import KIND
from emaki.evaluation.metrics import metrics_of
from emaki.report import charts, claims, curves, grids, margins, recommended, sentences
from emaki.report import page as page_of
from emaki.training.settings import Start
from emaki.workflow import accepting
from emaki.workflow.remaking import Remade

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def page(made):
    return (made / "report.html").read_text("utf-8")


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        self.sources += [attributes["src"]] if "src" in attributes else []


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
def test_nothing_is_wrong_on_a_wide_screen_and_on_a_phone(made):
    assert screenshot.problems(made / "report.html") == []


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
def test_the_page_forbids_what_would_ask_the_network_or_run(made, tmp_path):
    """Its Content-Security-Policy is the browser's: what is smuggled in does nothing."""
    smuggled = "<img src='http://127.0.0.1:9/x.png' alt='spy'><script>document.title = 1</script>"
    text = (made / "report.html").read_text("utf-8").replace("</body>", f"{smuggled}</body>")
    (tmp_path / "report.html").write_text(text, "utf-8")
    found = "\n".join(screenshot.problems(tmp_path / "report.html"))
    assert "Loading the image 'http://127.0.0.1:9/x.png' violates" in found
    assert "Executing inline script violates" in found


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
def test_the_browser_check_finds_what_is_wrong(tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><main><img src='data:image/png;base64,AAAA' alt='torn'>"
        "<div style='width:2000px'>wide</div><script>undefinedName()</script></main>"
    )
    found = "\n".join(screenshot.problems(bad))
    assert "broken picture: torn" in found
    assert "console" in found
    assert "wider than the screen" in found


class Structure(HTMLParser):
    """The elements of a page with the names of their attributes, without any text."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, [name for name, _ in attributes]))

    def handle_comment(self, data):
        self.elements.append(("comment", data))


def test_hostile_texts_of_prompts_and_files_stay_texts(made, page, tmp_path):
    """Script, markup, templates and formats of another's captions, names and credits."""
    folder = tmp_path / study.FOLDER
    shutil.copytree(made, folder)
    texts = itertools.cycle(text.decode("utf-8", "replace")[:5000] for text in hostile.CAPTIONS)
    for path in folder.glob("grids/*/*.png"):
        with Image.open(path) as image:
            layout = grids.layout_of(image)
            for row in layout["rows"]:
                row["prompt"] = next(texts)
            layout["title"] = next(texts)
            grids.save(image, layout, path)
    card = json.loads((folder / "datasets/rooms/card.json").read_text())
    every = " ".join(next(texts) for _ in hostile.CAPTIONS)
    card |= {"summary": every, "credits": [every], "licences": {every: 40}}
    card["rejects"] = [{"file": every, "reason": every}]
    (folder / "datasets/rooms/card.json").write_text(json.dumps(card))
    *_, (_, *arguments) = study.commands(read_saved(folder / "config.json"))
    subprocess.run([sys.executable, SCRIPTS / "report.py", *arguments], check=True, cwd=tmp_path)
    text = (folder / "report.html").read_text("utf-8")
    assert "<script" not in text
    assert hostile.CAPTIONS[0].decode() in unescape(text)
    assert hostile.CAPTIONS[10].decode() in unescape(text)  # a template, as it is
    assert Structure(text).elements == Structure(page).elements
    assert not screenshot.browser() or screenshot.problems(folder / "report.html") == []


# What a metric of two trainings has besides.
RECIPE = {
    **{"difference": 1.0, "low": 0.1, "high": 2.0},
    "by_training": [
        {"difference": 0.5, "low": 0.25, "high": 0.75},
        {"difference": 1.5, "low": 1.25, "high": 1.75},
    ],
}


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
@pytest.mark.skipif(not screenshot.axe(), reason=screenshot.AXE_MISSING)
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_nothing_bars_the_way_of_a_reader_by_axe(width, dark, made):
    assert screenshot.inaccessible(made / "report.html", width, dark) == []


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
@pytest.mark.skipif(not screenshot.axe(), reason=screenshot.AXE_MISSING)
def test_axe_sees_by_day_and_night(tmp_path):
    pale = tmp_path / "pale.html"
    pale.write_text(
        "<!doctype html><html lang=en><title>pale</title><style>@media (prefers-color-scheme: dark)"
        "{body{background:#111}}</style><main><h1>pale</h1><p style='color:#333'>text</p></main>"
    )
    assert screenshot.inaccessible(pale, 1280) == []
    (told,) = screenshot.inaccessible(pale, 1280, dark=True)
    assert told.startswith("serious: color-contrast: ")


def test_the_page_needs_nothing_else(page):
    parsed = Page(page)
    assert all(source.startswith("data:image/") for source in parsed.sources)
    others = [link for link in parsed.links if not link.startswith(("#", "data:"))]
    assert others == ["votes.html"]  # beside it, and it can be done without
    assert "url(" not in page
    assert "<script" not in page
    assert len(page) < 15e6
    anchors = [link[1:] for link in parsed.links if link.startswith("#")]
    assert set(anchors) <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))


def test_every_entry_has_its_answer(page):
    for name, entry in study.EXPERIMENTS.items():
        assert f'id="{name}"' in page
        assert escape(entry["question"]) in page
    assert "<b>Better.</b> This run of lora-r4 against tiny" in page
    assert "<b>Worse.</b> This run of full against tiny" in page
    assert "Rank &lt;64&gt; &amp; more" in page
    assert "cannot be read &lt;as a picture&gt;" in page


def test_what_was_forgotten_is_told_at_the_head(made, page):
    answers = [json.loads(path.read_text()) for path in (made / "experiments").iterdir()]
    headline = [p for answer in answers for p in answer["pairs"] if p["family"] == "headline"]
    worse = {
        (p["variant"], p["baseline"])
        for p in headline
        if p["metrics"]["unrelated_clip_score"]["verdict"] == "worse"
    }
    assert worse
    head = page[page.index("<header") : page.index("<main")]
    assert f'unrelated prompts <span class="badge worse">{len(worse)} worse</span>' in head
    assert ["#full" in line for line in head.split("</li>") if "forgets" in line] == [True]


def test_a_comparison_that_two_entries_make_counts_once_and_has_one_answer(page):
    """Merging asks about the scales of what the entry before it compares with the base."""
    head = page[page.index("<header") : page.index("<main")]
    text = " ".join(head.split())
    assert "4 questions, 8 claims of the notebook:" in text
    assert "4 comparisons of models, 12 measurements:" in text
    assert re.findall(r">(\d+ [a-z ]+)</span>", head) == [
        *("4 reproduced", "1 not reproduced", "3 not decided"),
        *("4 better", "3 worse", "5 the same"),
        "1 worse",
    ]
    start = page.index('id="merging"')
    text = page[start : page.index("</section>", start)]
    assert 'told in\n    <a href="#full">Full</a>' in text
    assert "At alpha 0.25 instead of 1, full" in text
    assert "full against tiny" not in text
    assert page.count("<b>Worse.</b> This run of full against tiny") == 1


def test_the_first_screen_says_each_entry_in_one_sentence(page):
    head = page[page.index('<ol class="sentences">') : page.index("</ol>")]
    told = [" ".join(re.sub(r"<[^>]+>", " ", item).split()) for item in head.split("</li>")[:-1]]
    assert told == [
        "better A LoRA Against tiny, its pictures follow the prompts better and look more like the"
        " real pictures, and unrelated prompts come out just as well. 0 of 1 claim reproduced",
        "mixed Rank &lt;64&gt; &amp; more Against tiny, its pictures follow the prompts better and"
        " look more like the real pictures, and unrelated prompts come out just as well; against"
        " lora-r4, its pictures follow the prompts just as well and look just as much like the real"
        " pictures, and unrelated prompts come out just as well. 1 of 4 claims reproduced, 3 not"
        " decided",
        "worse Full Against tiny, its pictures follow the prompts worse and look less like the real"
        " pictures, and unrelated prompts come out worse. 3 of 3 claims reproduced",
        "better Merging At alpha 0.25 instead of 1, its pictures follow the prompts better and look"
        " more like the real pictures, and unrelated prompts come out better.",
    ]


def pair(verdict, baseline="tiny"):
    return {"name": baseline, "metrics": {"domain_kid": {"verdict": verdict}}}


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ([pair("not decided yet")], "Against tiny, nothing is decided yet."),
        ([pair(None)], "Against tiny, no measure gives a verdict."),
        (
            [pair("better"), pair("better", "more"), pair("not decided yet", "other")],
            "Against tiny and more, its pictures look more like the real pictures; against other,"
            " nothing is decided yet.",
        ),
        (
            [pair("better"), pair("better"), pair("not decided yet"), pair("worse", "other")],
            "Of 3 models against tiny: “looks like the real pictures” 2 better and 1 not decided"
            " yet; of 1 model against other: “looks like the real pictures” 1 worse.",
        ),
    ],
)
def test_a_sentence_is_short(pairs, text):
    metrics = metrics_of({"kid": KIND.read({"type": "kid"})})
    assert sentences.of_comparisons(metrics, pairs) == text


def test_a_sentence_says_what_stands_against_what_and_what_is_open():
    measures = {"clip_score": {"type": "clip-score", "model": "clip"}, "kid": {"type": "kid"}}
    metrics = metrics_of({name: KIND.read(entry) for name, entry in measures.items()})
    found = {"domain_clip_score": "better", "domain_kid": "not decided yet"}
    found |= {"unrelated_clip_score": "worse"}
    told = {name: {"verdict": verdict} for name, verdict in found.items()}
    assert sentences.of_comparisons(metrics, [{"name": "tiny", "metrics": told}]) == (
        "Against tiny, its pictures follow the prompts better, but unrelated prompts come out worse"
        " (not decided yet: “looks like the real pictures”)."
    )
    by_scale = {"domain_kid": {"the same": [0.25], "worse": [0.5]}}
    by_scale |= {"domain_clip_score": {"better": [0.25, 0.5]}}
    scales = [{"word": "alpha", "scales": [0.25, 0.5], "metrics": by_scale}]
    assert sentences.of_scales(metrics, scales) == (
        "At alpha 0.25 instead of 1, its pictures look just as much like the real pictures and"
        " follow the prompts better; at alpha 0.5 instead of 1, its pictures look less like the"
        " real pictures and follow the prompts better."
    )


def test_the_contents_say_the_verdict_in_words(page):
    found = re.findall(r'#(\w+)">\s*<i class="dot \w+" role="img" aria-label="([^"]+)"', page)
    # of rank one comparison is better and one undecided; a merge is judged by all measures
    assert dict(found) == {"lora": "better", "rank": "mixed", "full": "worse", "merging": "better"}


def test_a_plot_says_its_direction_and_verdict(page):
    """Where all comparisons of an entry stand in one table, on paper and for a reader's voice."""
    start = page.index('class="matrix"', page.index('id="full"'))
    table = page[start : page.index("</table>", start)]
    sides = '<span class="sides"><span>worse</span><span>better</span></span>'
    assert table.count(sides) == 3 + table.count("<svg")  # heads, and cells on a phone
    assert '<span class="badge better">better</span>' in table
    assert 'data-unit="KID × 1000, lower is better"' in table
    assert "<title>better: " in table


def test_prompts_that_no_run_trains_on_are_counted(page):
    text = " ".join(page.split())
    assert "128 prompts (2 of them captions that no run trains on), 128 unrelated prompts;" in text
    assert "wrong together with a chance of at most 5 %" in text


def test_the_cost_says_what_is_in_it(page):
    text = " ".join(page.split())
    assert "Only training is counted, with all the study's jobs" in text
    assert "The last attempts of its jobs took 38 s to train" in text


@pytest.mark.parametrize(
    ("changes", "steps"),
    [({}, 4), ({"train_init": "non_ema"}, 3), ({"train_init": Start(folder="elsewhere")}, 3)],
)
def test_a_trajectory_begins_at_nothing_only_from_the_baselines_weights(made, changes, steps):
    read = read_saved(made / "config.json")
    answers = json.loads((made / "experiments/full.json").read_text())
    metrics = metrics_of({"clip_score": read.measures["clip_score"]})
    full = read.runs["full"].model_copy(update=changes)

    def drawn(answers, **changed):
        runs = read.runs | {"full": full.model_copy(update=changed)}
        return curves.differences(runs, metrics, answers, "tiny")

    over_steps, over_alphas = drawn(answers)
    assert over_steps["panels"][0]["svg"].count("<circle") == steps
    assert over_alphas["panels"][0]["svg"].count("<circle") == 4  # alpha 0 is the base in any case
    variants = answers["variants"]
    whole = [pair for pair in answers["pairs"] if variants[pair["variant"]]["scale"] == 1]
    assert len(drawn(answers | {"pairs": whole})) == 1, "no alphas"
    assert drawn(answers, model="other")[0]["panels"][0]["svg"].count("<circle") == 3


def test_an_entry_says_which_model_to_take_and_shows_it_beside_the_base(page):
    def entry(name):
        start = page.index(f'id="{name}"')
        text = page[start : page.index("</section>", start)]
        start = text.index("Which one to take")
        return " ".join(text[start : text.index('<figure class="grid"', start)].split())

    lora = entry("lora")
    assert "Take lora-r4, 60 steps: of 4 models it is surest that" in lora
    assert lora.count('alt="a living room') == 8
    assert lora.count(", by tiny") == lora.count(", by lora-r4, 60 steps") == 4
    assert lora.count('class="ring"') == 1
    assert '<tr class="taken"><th scope="row">lora-r4, 60 steps<small>to take</small>' in lora
    full = entry("full")
    assert "Take tiny: none of 5 models is clearly better" in full
    assert "<img" not in full
    assert full.count('class="ring"') == 0
    assert full.count('<g class="dot-of') == 5
    strip = page[page.index('<div class="scroll"') : page.index('<div class="page"')]
    assert "<span>lora-r4</span>" in strip


def test_better_is_up_and_right_whichever_way_a_measure_counts():
    """A distance is better where it is smaller, and its interval turns over with it."""
    measures = {"kid": KIND.read({"type": "kid"})}
    (metric,) = metrics_of(measures).values()
    told = {"difference": -20.0, "low": -30.0, "high": -10.0}
    assert recommended.ranged(metric, told) == (20.0, 10.0, 30.0)
    assert recommended.ranged(metric, told | {"low": None}) == (20.0, 10.0, None)


def test_what_differs_from_the_run_that_it_extends(page):
    start = page.index('id="rank"')
    text = page[start : page.index("</section>", start)]
    assert "<code>rank</code> <del>4</del> → <ins>64</ins>" in text


def test_the_same_results_give_the_same_bytes(made, page):
    *_, (_, *arguments) = study.commands(read_saved(made / "config.json"))
    command = [sys.executable, SCRIPTS / "report.py", *arguments]
    subprocess.run(command, check=True, cwd=made.parents[1])
    assert (made / "report.html").read_text("utf-8") == page


def test_the_smallest_study(tmp_path, monkeypatch):
    """One prompt, two pictures, nothing unrelated, no date: nothing can be told, and it says so."""
    monkeypatch.setattr(study, "SETS", {"rooms": study.SETS["rooms"][:1]})
    small = study.experiment(None, "A LoRA", ["lora-r4"], ["tiny"], checkpoints="last")
    small["prompts"] = {"domain": "rooms"}
    del small["date"], small["observed"]
    prompts = {"rooms": {"texts": study.SETS["rooms"]}}
    built = study.build(tmp_path, prompts=prompts, experiments={"lora": small})
    page = (run_scripts(tmp_path, built) / "report.html").read_text("utf-8")
    assert "too few prompts" in page
    assert "This run of lora-r4 against tiny: fewer than 128 prompts decide nothing." in page
    assert "With fewer than 128 prompts nothing is decided" in page
    assert '<span class="badge undecided">2 not decided yet' in " ".join(page.split())
    assert "The notebook saw" not in page


def test_without_held_out_and_real_pictures_there_is_a_report(tmp_path):
    """No validation losses and one real picture: the curve and the distance's verdicts are out."""
    built = study.build(tmp_path, experiments={"lora": study.EXPERIMENTS["lora"]})
    folder = tmp_path / study.FOLDER
    for path in folder.glob("runs/*/*/metrics.parquet"):
        parquet.write_table(parquet.read_table(path).drop(["validation_loss"]), path)
    reference = folder / "references/kid/rooms.parquet"
    parquet.write_table(parquet.read_table(reference).slice(0, 1), reference)
    page = (run_scripts(tmp_path, built) / "report.html").read_text("utf-8")
    assert "Training loss" in page
    assert "Validation loss" not in page
    assert "the dataset has one real picture, and a distance needs two" in page
    answers = json.loads((folder / "experiments/lora.json").read_text())
    (pair,) = [pair for pair in answers["pairs"] if pair["family"] == "headline"]
    assert pair["metrics"]["domain_kid"]["verdict"] is None
    assert pair["metrics"]["domain_clip_score"]["verdict"] == "better"


MEASURES = {
    "clip_score": {"type": "clip-score", "model": "clip"},
    "kid": {"type": "kid", "margin": 20.0},
    "cmmd": {"type": "cmmd", "model": "clip", "margin": 0.1},
    "preference": {"type": "preference", "model": "clip"},
    "large_clip": {"type": "clip-score", "model": "clip"},
}


def build(place, names):
    """The report of a study with these measures, and its answers about the LoRA."""
    measures = {name: dict(MEASURES[name]) for name in names}
    for entry in measures.values():
        if "model" in entry:
            entry["model"] = str(place / study.FOLDER / "clip")
    folder = run_scripts(place, study.build(place, measures=measures))
    answers = json.loads((folder / "experiments/lora.json").read_text())
    return (folder / "report.html").read_text("utf-8"), answers


@pytest.mark.parametrize("names", [["kid"], ["clip_score", "kid"], list(MEASURES)])
def test_any_number_of_measures(names, tmp_path):
    text, answers = build(tmp_path, names)
    count = len(answers["pairs"][0]["metrics"])
    assert count == {1: 1, 2: 3, 5: 7}[len(names)]
    head = text[text.index('<table class="answers') :]
    assert head[: head.index("</thead>")].count("<th>") == 2 + count
    reading = text[text.index('<section id="reading">') :]
    assert reading[: reading.index("</section>")].count("<p><b>") == count
    if screenshot.browser():
        assert screenshot.problems(tmp_path / study.FOLDER / "report.html") == []


def test_a_measure_that_does_not_decide_has_numbers_and_no_verdicts(tmp_path, monkeypatch):
    monkeypatch.setitem(MEASURES, "kid", MEASURES["kid"] | {"decides": False})
    text, _ = build(tmp_path, ["clip_score", "kid"])
    head = " ".join(text[text.index("<header") : text.index("<main")].split())
    assert "4 comparisons of models, 8 measurements:" in head
    assert "no verdict" not in head
    table = text[text.index('<table class="answers') :]
    assert "Looks like the real pictures" not in table[: table.index("</table>")]
    rows = re.findall(r'<th scope="row">Looks like the real.*?</tr>', text, re.DOTALL)
    assert re.search(r'<td class="figure">−\d', rows[0])
    assert "badge" not in "".join(rows)
    assert "Shown without a verdict: Looks like the real pictures." in " ".join(text.split())


def test_all_measures_are_told_in_their_order(tmp_path, page):
    text, answers = build(tmp_path, ["clip_score", "kid", "cmmd", "preference"])
    for measure in ("Looks real to CLIP", "Would be preferred"):
        assert measure in text
        assert measure not in page
    order = re.findall(r'<th scope="row">(.*?)<small>', text[text.index('class="metrics"') :])[:3]
    assert order == [
        "Follows its prompts",
        "Looks like the real pictures",
        "Looks real to CLIP",
    ]
    assert f"by <code>{tmp_path / study.FOLDER / 'clip'}</code>" in text
    assert answers["answers"][0]["sentence"].startswith(
        "This run of lora-r4 against tiny: its pictures follow the prompts better, look more like"
        " the real pictures, come nearer to the real pictures by CLIP's measure and would be"
        " preferred; unrelated"
    )
    (headline,) = [pair for pair in answers["pairs"] if pair["family"] == "headline"]
    preference = headline["metrics"]["domain_preference"]
    score = headline["metrics"]["domain_clip_score"]
    assert preference["difference"] == pytest.approx(score["difference"] / 3, abs=1e-5)


def test_claims_are_answered_with_their_evidence(page):
    def told(name):
        start = page.index('<ul class="claims">', page.index(f'id="{name}"'))
        text = re.sub(r"<[^>]+>", " ", page[start : page.index("</ul>", start)])
        return " ".join(unescape(text).split())

    assert told("lora").startswith(
        "not reproduced No clear benefit Claimed: not better. Measured: better. Follows its"
        " prompts, lora-r4, 60 steps against tiny: +6.1 (+5.8 to +6.3); 128 prompts; better on"
        " 100%."
    )
    path = "Measured: worse. Follows its prompts, full, 60 steps against full, 20 steps: −"
    assert path in told("full")
    assert re.search(r"CLIPScore at 20, 40, 60 steps 58\.\d, 56\.\d, 54\.\d\.", told("full"))
    rank = told("rank")
    assert "Rank <64> was no bottleneck Claimed: the same." in rank
    assert (
        "not decided It is faster Measured: 0.62 s against 0.62 s a step, the medians of 3" in rank
    )
    assert "not decided It fits Estimated as by make plan, not measured: lora-r64 needs" in rank
    assert "not decided People like it Not checked: nobody was asked." in rank
    assert "What the notebook claimed: 1 of 4 claims reproduced, 3 not decided" in page


@pytest.mark.parametrize(
    ("about", "lora", "full", "answer", "start"),
    [
        ({"against": "full", "says": "less"}, [3, 4, 5], [6, 7, 8], "reproduced", "Measured"),
        ({"against": "full", "says": "less"}, [6, 7, 8], [3, 4, 5], "not reproduced", "Measured"),
        (
            {"against": "full", "says": "less"},
            [3, 4, 6],
            [6, 7, 8],
            "not decided",
            "Measured",
        ),  # they meet
        ({"against": "full", "says": "more"}, [6, 7], [3, 4], "not decided", "Measured"),  # few
        (
            {"against": "full", "says": "more"},
            [],
            [3, 4, 5],
            "not decided",
            "Estimated",
        ),  # not measured
        ({"at_most": 1.0}, [1200, 1200, 1200], [], "reproduced", "Measured"),
        ({"at_most": 1.0}, [1200, 1200, 1201], [], "not reproduced", "Measured"),
        (
            {"at_most": 1.0},
            [1200, 1200],
            [],
            "not decided",
            "Estimated",
        ),  # a segment's time is gone
    ],
)
def test_a_claim_about_time(made, about, lora, full, answer, start):
    read = read_saved(made / "config.json")
    claim = Claim(words="It is quick", cost="time", run="lora-r4", **about)
    entry = read.experiments["lora"].model_copy(update={"claims": [claim]})
    timings = [
        {"stage": "runs", "parts": [run, f"{step:06d}"], "seconds": seconds}
        for run, times in (("lora-r4", lora), ("full", full))
        for step, seconds in enumerate(times)
    ]
    (told,) = claims.answered(
        read.replace(experiments={"lora": entry}), "lora", {"claims": []}, {}, timings
    )
    assert told["answer"] == answer
    assert told["reason"].startswith(start)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (5.234, "5.23"), (-0.5, "−0.500"), (12345.6, "12 346"), (None, "∞")],
)
def test_numbers_for_people(value, text):
    assert charts.number(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 8.1), (0.41, 0.42), (5, 5), (-700, 3)])
def test_ticks_are_few_and_enclose(low, high):
    found = charts.ticks(low, high, 5)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 8


def test_an_unbounded_interval_is_drawn_to_the_edges():
    metric = {"difference": 1.0, "low": None, "high": None, "verdict": "not decided yet"}
    svg = charts.forest(metric | {"prompts": 5, "margin": 0.5}, 1.0, True)
    assert 'x1="6.6" x2="213.4"' in svg
    assert "<title>not decided yet: +1.0 (too few prompts)</title>" in svg
    assert '<rect class="margin" x="58.3" y="0" width="103.4"' in svg


def test_a_recipe_shows_each_of_its_trainings():
    metric = judged(margin=0.5, **RECIPE)
    svg = charts.forest(metric, 2.0, higher_is_better=False)
    dots = re.findall(r'<circle class="training" cx="([\d.]+)"', svg)
    assert [float(x) for x in dots] == pytest.approx([84.2, 32.5], abs=0.1)
    points = [(20, {"score": {"difference": 3.0}}), (40, {"score": metric})]
    pairs = [
        {"name": "tiny", "family": "headline", "variant": str(step), "metrics": metrics}
        for step, metrics in points
    ]
    assert [curves._of_first_training(pair)["score"]["difference"] for pair in pairs] == [3.0, 0.5]


def test_a_long_line_keeps_its_peaks_and_no_more_points_than_a_screen_shows():
    points = [(step, step % 7 + (100 if step == 7001 else 0), None, None) for step in range(15000)]
    kept = curves._thinned(points)
    assert len(kept) <= 2 * curves.STRETCHES
    assert points[7001] in kept
    assert kept == sorted(kept)
    assert {y for _, y, *_ in kept} == {0, 6, 101}
    assert curves._thinned(points[:600]) == points[:600]


def judged(**changes):
    usual = {"verdict": "the same", "prompts": 128, "wins": 0.52, "lost": 0, "to_decide": None}
    return usual | {"reason": ""} | changes


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (judged(), "128 prompts; better on 52%"),
        (judged(lost=4), "128 prompts; better on 52%; fails on 4"),
        (judged(wins=None), "128 prompts"),
        (
            judged(verdict="not decided yet", to_decide=428),
            "128 prompts; better on 52%; about 300 more (20 min 0 s) would decide",
        ),
        (judged(wins=None, **RECIPE), "2 trainings: +0.50, +1.50; 128 prompts"),
        (
            judged(wins=None, verdict="not decided yet", to_decide=153, **RECIPE),
            "2 trainings: +0.50, +1.50; 128 prompts; about 25 more (3 min 20 s) would decide",
        ),
        (
            judged(
                wins=None,
                verdict="not decided yet",
                to_decide=128,
                trainings_to_decide=5,
                **RECIPE,
            ),
            "2 trainings: +0.50, +1.50; 128 prompts; about 3 more trainings would decide",
        ),
        (
            judged(verdict=None, reason="it does not see blur here"),
            "128 prompts; better on 52%; it does not see blur here",
        ),
    ],
)
def test_what_goes_with_a_verdict(metric, text):
    assert page_of.described(metric, seconds=2.0) == text


def test_the_time_of_a_prompt_is_drawing_and_scoring(made):
    samples = made / "samples"
    timings = [
        {"stage": "samples", "parts": ["base", "tiny", "0"], "seconds": 20.0},
        {"stage": "scores", "parts": ["evaluation", "base", "tiny", "0"], "seconds": 4.0},
        {"stage": "runs", "parts": ["a", "000050"], "seconds": 1000.0},
    ]
    drawn = 2 * study.DRAWN  # of two sets
    assert taken.of_prompt(timings, samples) == 24 / drawn
    assert taken.of_prompt(timings[2:], samples) is None


def test_what_margins_mean_is_a_table(page):
    text = " ".join(page[page.index('<section id="margins">') :].split())
    assert "Margin 3.00: as much as 5 % of prompts that are not followed at all cost here." in text
    assert "Margin 20.0, which the config sets." in text
    assert text[: text.index("</section>")].count('<table class="ladder">') == 2


def test_a_measure_that_is_not_fit_says_why(made, tmp_path):
    """On the page, where a margin could not be calibrated."""
    folder = tmp_path / study.FOLDER
    shutil.copytree(made, folder)
    for path in (folder / "experiments").iterdir():
        answers = digests.read_json(path)
        for pair in answers["pairs"]:
            if (found := pair["metrics"]["domain_kid"])["verdict"]:
                found |= {"verdict": None, "reason": "it does not see blur here", "margin": None}
        for margin in answers["margins"]:
            if margin["metric"] == "domain_kid":
                margin |= {"value": None, "reason": "it does not see blur here"}
        digests.write_json(path, answers)
    *_, (_, *arguments) = study.commands(read_saved(folder / "config.json"))
    command = [sys.executable, SCRIPTS / "report.py", *arguments]
    subprocess.run(command, check=True, cwd=tmp_path)
    text = " ".join((folder / "report.html").read_text("utf-8").split())
    assert '<span class="badge none">no verdict</span>' in text
    assert "No verdict: it does not see blur here." in text
    assert "128 prompts; it does not see blur here" in text


def test_results_that_were_kept_although_code_had_changed_are_told(made, page, tmp_path):
    assert "accepted" not in page
    folder = tmp_path / study.FOLDER
    shutil.copytree(made, folder)
    jobs = [Remade("train", "", ["scripts/emaki/training/loop.py"])] * 2
    accepting.note(folder, jobs, date(2026, 11, 29))
    *_, (_, *arguments) = study.commands(read_saved(folder / "config.json"))
    subprocess.run([sys.executable, SCRIPTS / "report.py", *arguments], check=True, cwd=tmp_path)
    text = " ".join((folder / "report.html").read_text("utf-8").split())
    assert '<a href="#accepted">kept although the code that made them had changed</a>' in text
    assert (
        "<time>2026-11-29</time>: 2 results of <code>train</code>; "
        "changed were <code>scripts/emaki/training/loop.py</code>" in text
    )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((6.02, 4.9, 7.1), "+6.0 (+4.9 to +7.1)"),
        ((-0.0049, -0.012, -0.0012), "−0.0049 (−0.0120 to −0.0012)"),  # better, and looks it
        ((-142, -310.4, 25), "−142 (−310 to +25)"),
        ((5.234, 0.000004, 10.5), "+5.23 (+0.000004 to +10.50)"),
        ((1234.5, 1000, 1500), "+1 234 (+1 000 to +1 500)"),
        ((0, 0, 0), "0 (0 to 0)"),
    ],
)
def test_a_difference_and_its_interval_are_read_together(values, text):
    metric = dict(zip(("difference", "low", "high"), values))
    found = f"{charts.difference(metric)} ({charts.interval(metric)})"
    assert found.replace("\u202f", " ") == text


def test_timings_come_from_benchmark_files(tmp_path):
    for name, seconds in (("a/000050", 10), ("a/000100", 12), ("b/000050", 5)):
        study.write_benchmark(tmp_path / f"benchmarks/runs/{name}.tsv", seconds)
    study.write_benchmark(tmp_path / "benchmarks/images/rooms.tsv", 3)
    timings = taken.read(tmp_path.glob("benchmarks/**/*.tsv"))
    assert [(s["stage"], s["jobs"], s["seconds"]) for s in taken.by_stage(timings)] == [
        ("images", 1, 3),
        ("runs", 3, 27),
    ]
    assert taken.of_run(timings, "a")["runs"] == 22
    assert taken.of_run(timings, "a", "b")["runs"] == 27


def test_a_wrong_argument_is_one_line(tmp_path):
    arguments = ["--study", "missing.json", "--output", tmp_path / "report.html"]
    result = subprocess.run(
        [sys.executable, SCRIPTS / "report.py", *arguments], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: missing.json cannot be read")
    assert result.stderr.count("\n") == 1


def test_datasets_of_the_same_pictures_share_a_table_of_margins():
    kid = KIND.read({"type": "kid", "margin": 20.0})
    metrics = metrics_of({"kid": kid})

    def answers(reference, cost):
        step = {"damage": "blur", "strength": 1.0, "difference": cost, "error": 1.0}
        margin = {"metric": "domain_kid", "model": "tiny", "value": 20.0, "reason": ""}
        return {"reference": reference, "margins": [margin | {"ladder": [step]}]}

    told = {"a": answers("rooms", 5.0), "b": answers("rooms-keyword", 5.0)}
    told |= {"c": answers("critters", 6.0), "d": answers("rooms", 5.0)}
    tables = margins.tables(metrics, told)
    assert [table["references"] for table in tables] == [["rooms", "rooms-keyword"], ["critters"]]
