import json
import math
import os
import sys
from itertools import chain
from shlex import quote

if not Path("scripts/emaki").is_dir() or not Path(workflow.basedir, "scripts/emaki").is_dir():
    sys.exit(
        "error: start Snakemake in Emaki's own folder: paths count from there, and it is no module"
    )

# Where no environment is deployed, jobs run in the interpreter that runs Snakemake.
os.environ.update(PATH=f"{Path(sys.executable).parent}:{os.getenv('PATH', '')}")
sys.path.insert(0, f"{workflow.basedir}/scripts")

from emaki.config import kept_steps, load, shards_of, steps_of, trained
from emaki.config.repositories import repository
from emaki.config.derived import ARCHIVES, starts
from emaki.common.errors import UserError
from emaki.workflow.code_files import modules_of
from emaki.config.comparisons import comparisons, grids
from emaki.data.sources import folder
from emaki.data.sources import unsplash

# Emaki reads the file itself: Snakemake would merge it over another one, key by key, and would
# keep the last of two entries with one name.
CONFIG_FILE, *others = workflow.overwrite_configfiles or ["config/config.yaml"]
given = dict(workflow.config_settings.config)
machine = given.pop("machine", None)  # where it runs is for the profile to say
if others or given:
    ignored = f"--configfile {others[0]}" if others else f"--config {next(iter(given))}"
    sys.exit(f"error: {ignored} would be ignored: a study is one file, which may say `extends`")
config.clear()
try:
    config.update(load(CONFIG_FILE, machine))
except UserError as error:
    sys.exit(f"error: {error}")

STUDY = f"results/{config['study']}"
LOGS = f"logs/{config['study']}"
BENCHMARKS = f"{STUDY}/benchmarks"


def pattern(found):
    """A pattern for these names; for none where there are none."""
    return "|".join(map(re.escape, found)) or "(?!)"


def names(section, **wanted):
    """A pattern for the names of the config's entries that have one of these values."""
    found = [
        name
        for name, entry in config.get(section, {}).items()
        if all(entry[key] in values for key, values in wanted.items())
    ]
    return pattern(found)


# A shard of a source or dataset is one by itself, and goes the same road by the same rules.
SHARD = "[/]shards/[^/]+"  # the brackets, lest the linter takes it for an absolute path


wildcard_constraints:
    source=f"({names('sources')})({SHARD})?",
    captioner=names("captions"),
    dataset=f"({names('datasets')})({SHARD})?",
    model=names("models"),
    prompts=names("prompts"),
    run=names("runs"),
    experiment=names("experiments"),
    step=r"\d{6}",
    weights="raw|ema",
    strength=r"-?\d+\.\d+",
    transform=r"\d+(-flip)?",
    variant=rf"base/({names('models')})|({names('runs')})/\d{{6}}/(raw|ema)/-?\d+\.\d+",


def as_json(value):
    """A value as a parameter: compared by content, quoted by `{params.x:q}`."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def entry_of(section, wildcard):
    """The config's entry that a wildcard names, as JSON."""
    return lambda wildcards: as_json(config[section][wildcards[wildcard]])


def folder_of(name):
    """A parameter: the folder that holds the named output."""
    return lambda wildcards, output: str(Path(output[name]).parent)


def folder_of_input(name, levels=1):
    """A parameter: the folder that holds the named input, or one further up."""
    return lambda wildcards, input: str(Path(input[name]).parents[levels - 1])


def pairs(paths):
    """A parameter of NAME=PATH arguments from a dict."""
    return " ".join(f"{name}={path}" for name, path in paths.items())
