"""config/README.md documents what there is, and its examples are valid."""

import re
from pathlib import Path

import pytest

from emaki.config import load, schema
from emaki.config.reading import Loader, yaml
from emaki.training import recipes

README = (Path(__file__).parents[2] / "config" / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))
FILES = {
    "Top level": "config",
    "models": "model",
    "machine": "machine",
    "sources": "source",
    "captions": "captions",
    "datasets": "dataset",
    "prompts": "prompts",
    "runs": "run",
    "experiments": "experiment",
}
INLINE = ("evaluators", "sampling")  # within config.schema.yaml
# Defaults that depend on other keys, in the README's words.
WORDS = {"checkpoint_every": "`steps`", "reference": "the first run's", "keep": "all"}


def rows(section):
    """The rows of all tables of a section that have a column `key`: dicts by column."""
    found, header = [], None
    for line in SECTIONS[section].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = None
        elif header is None:
            header = cells
        elif header[0] == "key" and not line.startswith("|---"):
            found.append(dict(zip(header, cells, strict=True)))
    return found


def properties(section):
    """{key: (its schema, whether it must be given)} for every key of a section, at any depth."""
    contents = {name: schema.registry()[f"{name}.schema.yaml"].contents for name in FILES.values()}
    top = contents["config"]
    root = top["properties"][section] if section in INLINE else contents[FILES[section]]
    required = set(root.get("required", []))
    if section == "Top level":
        root = {"properties": {key: {} for key in (*top["properties"], "extends")}}
        required |= set(top["else"]["required"])
    elif section == "runs":
        required |= set(top["properties"]["runs"]["additionalProperties"]["required"])
    found = {}
    for place in [root, *root.get("$defs", {}).values()]:
        required |= set(place.get("required", []))
        for key, value in place.get("properties", {}).items():
            found.setdefault(key, value)
            found |= value.get("properties", {})
            required |= set(value.get("required", []))
    return {key: (value, key in required) for key, value in found.items()}


@pytest.mark.parametrize("section", [*FILES, *INLINE])
def test_every_key_is_documented_and_no_other(section):
    assert {row["key"].strip("`") for row in rows(section)} == set(properties(section))


@pytest.mark.parametrize("section", [*FILES, *INLINE])
def test_allowed_words_and_required_keys_are_as_in_the_schema(section):
    known = properties(section)
    for row in rows(section):
        key = row["key"].strip("`")
        value, required = known[key]
        if "enum" in value:
            assert set(re.findall(r"`([^`]+)`", row["value"])) == set(value["enum"]), key
        if "default" in row:
            assert (row["default"] == "—") == required, key


@pytest.mark.parametrize("section", [*FILES, *INLINE])
def test_defaults_are_those_that_are_filled_in(section):
    known = properties(section).items()
    defaults = {key: value["default"] for key, (value, _) in known if "default" in value}
    columns = {"default": recipes.DIFFUSERS if section == "runs" else defaults}
    columns["with `compvis`"] = recipes.COMPVIS
    for preset, values in recipes.EMA_PRESETS.items():
        columns[f"in preset `{preset}`"] = values
    for row in rows(section):
        key = row["key"].strip("`")
        for column, values in columns.items():
            cell = row.get(column, "")
            if cell in ("", "—") or cell == WORDS.get(key):
                assert column not in row or key not in values, key
            else:
                assert yaml.load(cell, Loader) == values[key], (key, column)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_is_a_valid_config(number, workplace):
    example = EXAMPLES[number]
    if not example.startswith("extends:"):
        example = f"extends: ../config/config.yaml\nstudy: example\n{example}"
    for folder in ("pictures", "llava", "clip-vit-large-patch14", "dinov2-base", "pickscore"):
        (workplace / "my" / folder).mkdir(parents=True)
    (workplace / "my" / "captions.csv").write_text("file,text\n")
    (workplace / "my" / "shards").mkdir()
    for number in range(2):
        (workplace / "my" / "shards" / f"{number:05d}.tar").touch()
    path = workplace / "results" / "example.yaml"
    path.parent.mkdir()
    path.write_text(example)
    load(path)
