"""Studies with more in them than a command has room for: Linux allows it 128 KiB."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PROMPTS = [
    f"a living room with {number} red couches and a window to the garden" for number in range(3000)
]
LONGEST = 4096  # characters of a command; of the small study they are a few hundred


@pytest.fixture(scope="module")
def large(new_study):
    """The small study with 3,000 prompts, 5,000 seeds, a keyword of 50,000 letters and 40
    checkpoints of a run. Nothing has run."""
    study = new_study("small.yaml", "edits.csv")
    (study.folder / "many.txt").write_text("\n".join(PROMPTS))
    study.change("unrelated: {texts: [pig, red heart]}", "unrelated: {file: many.txt}")
    study.change("steps: 6", "steps: 40")
    study.change("seeds: [0, 1]", f"seeds: {list(range(5000))}")
    study.change("keyword: interior design", f"keyword: {'interior ' * 5555}design")
    text = (study.folder / study.config).read_text()
    (study.folder / study.config).write_text(
        text.replace("checkpoints: last\n    lora_scales", "checkpoints: all\n    lora_scales")
    )
    return study


def test_no_command_grows_with_the_study(large):
    done = large.snakemake("results/report.html", "-n", "-p", "--quiet", "host")
    commands = re.findall("^Shell command: .*$", done.stdout + done.stderr, re.MULTILINE)
    assert len(commands) > 40
    assert max(map(len, commands)) < LONGEST


def test_prompts_of_any_number_come_into_their_file(large):
    blocks = ["0000-0032", "0032-0128", "0128-0192", "0192-0256"]
    targets = [f"results/small/prompts/unrelated/{block}.parquet" for block in blocks]
    large.snakemake(*targets)
    tables = [pq.read_table(large.folder / target) for target in targets]
    assert pa.concat_tables(tables)["prompt"].to_pylist() == PROMPTS[:256]
