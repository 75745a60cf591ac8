"""config/README.md and config/schema.json say what there is, and the examples are valid."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from describe_settings import describe_settings

from emaki.config import description, load
from emaki.config.reading import parse
from emaki.config.settings import Run
from emaki.training import recipes
from emaki.training.settings import Ema

CONFIG = Path(__file__).parents[2] / "config"
README = (CONFIG / "README.md").read_text("utf-8")
SCHEMA = json.loads((CONFIG / "schema.json").read_text("utf-8"))
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PLUG_INS = [(name, type_) for name, kind in description.KINDS.items() for type_ in kind.names()]


def test_what_is_generated_is_up_to_date():
    for path, text in describe_settings().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run `make settings`"


def rows(part):
    """{key: its cells by column} of the tables between the marks that name a part."""
    found = {}
    for table in re.findall(rf"<!-- settings of {part}\b.*?-->(.*?)<!-- end -->", README, re.S):
        header = None
        for line in table.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| key |"):
                header = cells
            elif line.startswith("| `"):
                found[cells[0].strip("`")] = dict(zip(header, cells, strict=True))
    return found


@pytest.mark.parametrize("part", description.CLASSES)
def test_every_key_is_documented_and_no_other(part):
    settings = description.CLASSES[part]
    assert rows(part).keys() == settings.model_fields.keys()
    assert all(field.description for field in settings.model_fields.values())


@pytest.mark.parametrize(("part", "type_"), PLUG_INS)
def test_every_plug_in_is_documented(part, type_):
    settings = description.KINDS[part].find(type_)
    assert settings.__doc__
    assert all(field.description for key, field in settings.model_fields.items() if key != "type")
    (table,) = re.findall(rf"<!-- settings of {part} -->(.*?)<!-- end -->", README, re.S)
    described = re.search(rf"^`{type_}`: (.*?)(?=^`[\w-]+`: |\Z)", table, re.M | re.S)[1]
    assert settings.model_fields.keys() - {"type"} <= set(
        re.findall(r"^\| `(\w+)`", described, re.M)
    )


@pytest.mark.parametrize("part", description.CLASSES)
def test_allowed_words_required_keys_and_defaults_are_those_of_the_classes(part):
    settings = description.CLASSES[part]
    schema = settings.model_json_schema()["properties"]
    for key, row in rows(part).items():
        if "enum" in schema[key]:
            assert set(re.findall(r"`([^`]+)`", row["value"])) == set(schema[key]["enum"])
        if (cell := row.get("default")) is None:
            continue
        assert (cell == "—") == settings.model_fields[key].is_required(), key
        if schema[key].get("default") is not None:
            assert parse(f"a: {cell}", "").data["a"] == schema[key]["default"], key


def test_the_columns_of_the_recipes_are_what_a_run_gets():
    said = {"model": "m", "dataset": "d", "method": "full", "steps": 1}
    for column, recipe in (("default", "diffusers"), ("with `compvis`", "compvis")):
        run = Run(recipe=recipe, **said)
        for key, row in rows("runs").items():
            cell = row.get(column, "—")
            if cell not in ("", "—", "`steps`") and key not in ("ema", "recipe", "lora_alpha"):
                assert parse(f"a: {cell}", "").data["a"] == getattr(run, key), (key, column)
    for preset in recipes.EMA_PRESETS:
        ema = Run(ema={"preset": preset}, **said).ema
        for key in Ema.model_fields.keys() - {"preset"}:
            cell = rows("ema")[key][f"in preset `{preset}`"]
            assert parse(f"a: {cell}", "").data["a"] == getattr(ema, key)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_is_a_valid_config(number, workplace):
    example = EXAMPLES[number]
    if not example.startswith("extends:"):
        example = f"extends: ../config/config.yaml\nstudy: example\n{example}"
    models = "llava", "clip-vit-large-patch14", "dinov2-base", "pickscore", "animals"
    for folder in ("pictures", *models):
        (workplace / "my" / folder).mkdir(parents=True)
        for file in ("config", "preprocessor_config", "attributes"):
            (workplace / "my" / folder / f"{file}.json").touch()
        (workplace / "my" / folder / "model.safetensors").touch()
    (workplace / "my" / "captions.csv").write_text("file,text\n")
    (workplace / "my" / "shards").mkdir()
    for shard in range(2):
        (workplace / "my" / "shards" / f"{shard:05d}.tar").touch()
    path = workplace / "results" / "example.yaml"
    path.parent.mkdir()
    path.write_text(example)
    load(path)
    jsonschema.validate(parse(example, "").data, SCHEMA)


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_editors_find_no_mistake_in_the_configs_that_there_are(path):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(parse(path.read_text("utf-8"), "").data, SCHEMA)


@pytest.mark.parametrize(
    "lines",
    [
        "runs: {a: {rnak: 3}}",
        "sampling: {steps: 0}",
        "sources: {a: {type: rooms, count: 3, style: critters}}",
        "measures: {a: {type: clip-scor, model: m}}",
        "experiments: {a: {title: null}}",
        "evaluators: {}",
    ],
)
def test_editors_see_mistakes(lines):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(parse(f"study: a\n{lines}", "").data, SCHEMA)
