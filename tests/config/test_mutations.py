"""Configs with seeded mistakes: each is a study that can be planned, or is refused in a sentence.

`make test-faults` tries 500; elsewhere it is fewer.
"""

import copy
import json
import os
import random
import re
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from emaki.common.errors import UserError
from emaki.config import load
from emaki.config.reading import read
from emaki.costs import study_plan
from emaki.workflow.data_files import DataFiles
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.training_files import TrainingFiles
from emaki.workflow.variant_files import VariantFiles

COUNT = int(os.environ.get("EMAKI_MUTATIONS", "60"))
SECONDS = 10  # of the processor
BASES = ("config/config.yaml", "config/sd14.yaml")
CONFIG = Path(__file__).parents[2] / "config"
SCHEMA = json.loads((CONFIG / "schema.json").read_text("utf-8"))
NUMBERS = [0, -1, 1, 2, 7, 1.5, 1e-300, 1e300, -0.0, 10**12, 2**63, 10**30, 999_999, 4294967296]
TEXTS = [
    "",
    " ",
    "\n",
    "a" * 300,
    "{m}",
    "../x",
    "/",
    "~nobody",
    "null",
    "é\u202e",
    "a b",
    "\\",
    "x\0",
]
OTHERS = [
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    {"a": None},
    {"": 1},
    ["x", "x"],
    {"x": {"y": []}},
]
# What a text of YAML may hold that is no plain value.
SYNTAX = [
    "!!int x",
    "!!bool abc",
    "!!python/name:os",
    "*a",
    "&a [*a]",
    "1e400",
    "0x1F",
    "[",
    "{a: 1",
    "? x",
]
SYNTAX += [
    "9" * 5000,
    "---",
    "%YAML 9",
    "\t",
    "'",
    '"\\x"',
    "<<: {a: 1}",
    "a: b: c",
    "!<x> 1",
    "@x",
]


def entries(value, path=()):
    """All (path, value) in a config."""
    yield path, value
    pairs = value.items() if isinstance(value, dict) else ()
    for key, inner in enumerate(value) if isinstance(value, list) else pairs:
        yield from entries(inner, (*path, key))


def known_keys(schema):
    """{key: its schemas} of all that a config may say somewhere."""
    found = {}
    for _, value in entries(schema):
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            for key, own in value["properties"].items():
                found.setdefault(key, []).append(own)
    return found


KEYS = known_keys(SCHEMA)


def valid_or_nearly(chance, schema):
    """A value at, or just beyond, what a key's schema allows."""
    options = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    own = chance.choice([option for option in options if isinstance(option, dict)])
    bounds = [
        own[name] + step
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
        if name in own
        for step in (-1, 0, 1)
    ]
    return chance.choice([*bounds, *own.get("enum", []), own.get("default"), own.get("const"), 3])


def mutate(chance, data):
    """Change a config, mappings and lists, in one place."""
    path, value = chance.choice([pair for pair in entries(data) if pair[0]])
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    kind = chance.randrange(7)
    if kind == 0:
        parent.pop(path[-1])
    elif kind == 1:
        parent[path[-1]] = chance.choice([*NUMBERS, *TEXTS, *OTHERS])
    elif kind == 2 and isinstance(parent, dict):
        parent[chance.choice([*TEXTS, str(path[-1])[:-1], "zz"])] = parent.pop(path[-1])
    elif kind == 3:
        parent[path[-1]] = copy.deepcopy(chance.choice(list(entries(data)))[1])
    elif kind == 4 and isinstance(value, dict):
        key = chance.choice(sorted(KEYS))
        value[key] = valid_or_nearly(chance, chance.choice(KEYS[key]))
    elif path[-1] in KEYS:
        parent[path[-1]] = valid_or_nearly(chance, chance.choice(KEYS[path[-1]]))
    elif isinstance(value, list) and value:
        value.append(chance.choice(value))


def write_mutation(number, path):
    """Write the config of a number, always the same, to a path."""
    chance = random.Random(number)
    data = copy.deepcopy(read(chance.choice(BASES)).data)
    for _ in range(chance.choice([1, 1, 2, 3])):
        mutate(chance, data)
    text = json.dumps({**data, "study": data.get("study", "mutated")}, indent=1)
    if chance.random() < 0.25:  # in the text, where values are on lines of their own
        lines = text.splitlines()
        line = chance.randrange(1, len(lines) - 1)
        key, colon, _ = lines[line].partition(": ")
        lines[line] = f"{key}{colon}{chance.choice(SYNTAX)},"
        text = "\n".join(lines)
    path.write_text(text, "utf-8", "surrogatepass")


@contextmanager
def limit(seconds):
    def ring(*_):
        raise TimeoutError(f"more than {seconds} s")

    before = {kind: signal.signal(kind, ring) for kind in (signal.SIGALRM, signal.SIGVTALRM)}
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    signal.alarm(20 * seconds)  # what waits takes none of it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.alarm(0)
        for kind, handler in before.items():
            signal.signal(kind, handler)


def plan(study):
    """What Snakemake asks of a study before the first job."""
    data = DataFiles(study)
    training = TrainingFiles(study, data.dataset_shards)
    for segment in training.segments:
        training.hyper_parameters(segment)
        training.model_files(segment)
    files, variants = EvaluationFiles(study), VariantFiles(study)
    for experiment, own in files.plans.items():
        files.references(experiment)
        files.calibrations(experiment)
        for variant in own["variants"]:
            variants.model_files(variant)
    files.look_scores(1)
    study_plan.disk(study)
    study_plan.hours(study)


@pytest.mark.parametrize("start", range(0, COUNT, 10))
def test_a_mutated_config_is_a_study_or_a_sentence(start, workplace):
    path = workplace / "results/mutated.yaml"
    path.parent.mkdir()
    for number in range(start, start + 10):
        write_mutation(number, path)
        with limit(SECONDS):
            try:
                study = load(path)
            except UserError as error:
                told = str(error)
            else:
                plan(study)
                continue
        lines = told.splitlines()
        assert 1 <= len(lines) <= 51, number
        for line in lines:
            assert re.match(r"results/mutated\.yaml[: ]|and \d+ more", line), (number, line)
            assert "Traceback" not in line
