"""With many entries the report is an index, and each entry has a page beside it."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import urldefrag

import many
import pytest
import screenshot
import study

from emaki.config.comparisons import grids
from emaki.config.pages import MOST_ENTRIES, is_paged
from emaki.workflow.evaluation_files import EvaluationFiles

COUNT = MOST_ENTRIES + 2


def write_report(place, folder):
    config, output = f"{folder}/config.json", f"{folder}/report.html"
    command = [sys.executable, study.SCRIPTS / "report.py", "--study", config, "--output", output]
    subprocess.run(command, check=True, cwd=place)


@pytest.fixture(scope="module")
def place(made, tmp_path_factory):
    """Where a report of many entries lies, as it is published: without the results around it."""
    workplace, place = tmp_path_factory.mktemp("many"), tmp_path_factory.mktemp("copied")
    many.multiply(made, workplace, COUNT)
    write_report(workplace, f"results/{many.NAME}")
    shutil.copy(workplace / f"results/{many.NAME}/report.html", place)
    shutil.copytree(workplace / f"results/{many.NAME}/report", place / "report")
    return place


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for key, found in (("id", self.ids), ("href", self.links), ("src", self.sources)):
            found += [value for name, value in attributes if name == key]


def test_every_link_leads_somewhere_and_all_else_is_in_the_page(place):
    pages = {
        path: Links(path.read_text("utf-8"))
        for path in (place / "report.html", *(place / "report").iterdir())
    }
    assert len(pages) == 1 + COUNT
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        assert all(source.startswith("data:image/") for source in page.sources)
        for link in page.links:
            if not link.startswith("data:") and link != "votes.html":
                file, anchor = urldefrag(link)
                other = (path.parent / file).resolve() if file else path
                assert not anchor or anchor in pages[other].ids, (path, link)


def test_the_index_has_a_sentence_pictures_and_the_claims_of_each_entry(place):
    text = (place / "report.html").read_text("utf-8")
    head = text[text.index("<ol class=") : text.index("</ol>")]
    rows = head.split("</li>")[:-1]
    assert len(rows) == COUNT
    (first,) = [row for row in rows if "report/lora-000.html" in row]
    assert first.count("<img") == 2
    told = " ".join(re.sub(r"<[^>]+>", " ", first).split())
    assert told.endswith(
        "better A LoRA, 1 Against tiny, its pictures follow the prompts better and look more like"
        " the real pictures, and unrelated prompts come out just as well. 0 of 1 claim reproduced"
    )
    assert '<section class="experiment"' not in text
    assert "copy <code>report.html</code>, <code>report/</code>" in text


def test_a_page_has_all_of_its_entry_and_nothing_of_others(place):
    text = (place / "report/rank-001.html").read_text("utf-8")
    assert text.count('<section class="experiment"') == 1
    assert "Rank &lt;64&gt; &amp; more, 2" in text
    assert 'id="dataset-rooms"' in text
    assert "What the notebook claimed: 1 of 4 claims reproduced" in text
    near = re.findall(r'<a href="([\w-]+\.html)" rel="(prev|next)">', text)
    assert len(set(near)) == 2


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
@pytest.mark.parametrize("page", ["report.html", "report/full-000.html"])
def test_nothing_is_wrong_on_a_wide_screen_and_on_a_phone(place, page):
    assert screenshot.problems(place / page) == []


@pytest.mark.skipif(not screenshot.browser(), reason=screenshot.MISSING)
@pytest.mark.skipif(not screenshot.axe(), reason=screenshot.AXE_MISSING)
@pytest.mark.parametrize("page", ["report.html", "report/full-000.html"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_bars_the_way_of_a_reader_by_axe(width, page, place):
    assert screenshot.inaccessible(place / page, width) == []


def test_with_fewer_entries_all_is_on_one_page_again(made, tmp_path):
    folder = f"results/{many.NAME}"
    many.multiply(made, tmp_path, 4)
    (tmp_path / folder / "report").mkdir()
    write_report(tmp_path, folder)
    assert not (tmp_path / folder / "report").exists()
    assert (tmp_path / folder / "report.html").read_text("utf-8").count('class="experiment"') == 4


def test_few_entries_with_large_pictures_have_pages(made, tmp_path):
    """A page of less than 15 MB, whatever is drawn."""
    few = many.multiply(made, tmp_path, 8)
    assert EvaluationFiles(few).entry_pages() == []
    sampling = few.sampling.model_copy(update={"resolution": 512})
    large = few.replace(sampling=sampling)
    assert is_paged(
        large, [plan for name in large.experiments for plan in grids(large, name).values()]
    )
