"""The settings of a whole study, made of those of its parts."""

from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field

from emaki.captioners import KIND as CAPTIONERS
from emaki.captioners import Captioner
from emaki.common.model_folders import HUB_FOLDER
from emaki.common.plugins import PluggedIn
from emaki.common.settings import (
    Commit,
    Maybe,
    Name,
    Positive,
    RepositoryName,
    Settings,
    Unique,
    Words,
)
from emaki.config.machine import Machine
from emaki.data.settings import Dataset
from emaki.data.sources import KIND as SOURCES
from emaki.data.sources import Source
from emaki.evaluation.measures import KIND as MEASURES
from emaki.evaluation.measures import Measure
from emaki.evaluation.settings import Evaluation
from emaki.families import DEFAULT, REPOSITORIES, Family, find_class, pipeline_class
from emaki.sampling.settings import PromptSet, Sampling
from emaki.training.settings import Run

T = TypeVar("T")
Named = Annotated[dict[Name, T], Field(min_length=1)]
References = Annotated[Unique[str], Field(min_length=1)]
Scale = Annotated[float, Field(ge=0.01, le=4)]
Step = Annotated[int, Field(ge=1)]
# What a model may be compared with beside baselines, whose names have no spaces.
FIRST, FULL = "first checkpoint", "scale 1"


class Model(Settings):
    """A base model: a folder, or a repository of the Hugging Face hub."""

    path: Maybe[str] = Field(None, json_schema_extra={"value": "folder"})
    """A pipeline of diffusers, of one of the [families](../docs/training.md#families); raw weights
    beside EMA ones as `unet/diffusion_pytorch_model.non_ema.safetensors`."""

    repo: Maybe[RepositoryName] = None
    """Instead of `path`: such a pipeline, as safetensors, on the Hugging Face hub."""

    revision: Maybe[Commit] = None
    """With `repo`: which commit; a branch is refused, since it moves."""

    pipeline: Maybe[str] = Field(None, json_schema_extra={"value": "class of diffusers"})
    """With `repo`: the `_class_name` in its `model_index.json`, which says of which
    [family](../docs/training.md#families) it is. Needed of repositories that are not known, unless
    they have Stable Diffusion 1.x or 2.x."""

    non_ema_revision: Maybe[Commit] = None
    """With `repo`: another commit, whose U-Net is the raw weights; where it is left out they are
    `unet/diffusion_pytorch_model.non_ema.safetensors` of the same commit."""

    non_ema_sha256: Maybe[
        Annotated[
            str,
            Field(
                pattern="^[0-9a-f]{64}$",
                json_schema_extra={"allowed": "a SHA-256 of 64 hexadecimal digits"},
            ),
        ]
    ] = Field(None, json_schema_extra={"value": "SHA-256"})
    """Of that commit's `unet/diffusion_pytorch_model.bin`, where it has no safetensors."""

    without_t5: Maybe[bool] = None
    """With `repo` of Stable Diffusion 3: true leaves out its third text encoder, a T5 of 9.5 GB, as
    diffusers can. Captions are read by the two others."""

    @property
    def folder(self) -> str:
        """Where it lies. That of a repository has its commits, so that studies share it safely."""
        if self.repo is None:
            return self.path or "."
        commits = filter(None, [self.revision, self.non_ema_revision])
        less = "-without-t5" if self.without_t5 else ""
        return f"{HUB_FOLDER}/{self.repo}/{'+'.join(commits)}{less}"

    @property
    def left_out(self) -> tuple[str, ...]:
        """The parts of its pipeline that it is to be without."""
        return self.family.may_lack if self.without_t5 else ()

    @property
    def family(self) -> Family:
        """Its family. Raises UserError, which goes on after the key, where there is none."""
        if self.repo is not None:  # the same before and after it is brought
            kind = self.pipeline or REPOSITORIES.get(self.repo, DEFAULT)
        else:
            kind = pipeline_class(self.folder) or DEFAULT
        found = find_class(kind)
        if self.without_t5 and found.may_lack:
            return found(self.folder, without_t5=True)  # type: ignore[call-arg]
        return found(self.folder)


class ExperimentPrompts(Settings):
    """Which sets of prompts an experiment draws, by their role."""

    domain: str = Field(json_schema_extra={"value": "set of prompts"})
    """What the runs are trained for."""

    unrelated: Maybe[str] = Field(None, json_schema_extra={"value": "set of prompts"})
    """What they may forget for it."""

    def by_role(self) -> dict[str, str]:
        """{role: set of prompts} of those that there are."""
        return self.model_dump(exclude_none=True)


Level = Annotated[dict[str, Any], Field(json_schema_extra={"value": "keys of a run"})]
Levels = Annotated[dict[Name, Level], Field(min_length=2)]


class Matrix(Settings):
    """A factorial experiment: a run for each combination of the levels of all axes."""

    run: str = Field(json_schema_extra={"value": "run"})
    """The run that all of them change."""

    axes: Annotated[dict[Name, Levels], Field(min_length=1)]
    """`{axis: {level: {key: value}}}`: what each level changes in the run; the others are compared
    with an axis' first level. Mappings of several axes, such as `ema`, are put together."""

    cells: Maybe[dict[str, list[str]]] = Field(None, json_schema_extra={"value": "mapping"})
    """Which run has which level of each axis; found by itself where it is left out."""


class Claim(Settings):
    """Something that a notebook said, and what here shows whether it is so."""

    words: Words
    """What the notebook said."""

    measure: Maybe[str] = None
    """What it is checked by: a measure, whose verdict on two models is compared with `says`."""

    prompts: Literal["domain", "unrelated"] = "domain"
    """With `measure`: on which prompts."""

    cost: Maybe[Literal["time", "gpu_memory"]] = None
    """Instead of `measure`: what the training took. Time is measured where the run's timings are
    there; GPU memory is estimated as `make plan` does, and then nothing is decided."""

    unchecked: Maybe[Words] = None
    """Instead of `measure`: why nothing here can show it."""

    run: Maybe[str] = Field(
        None, json_schema_extra={"value": "run", "default_words": "the only one"}
    )
    """Which of the experiment's runs it is about."""

    step: Maybe[Step] = Field(None, json_schema_extra={"default_words": "the last"})
    """Which checkpoint, of those that are drawn."""

    weights: Maybe[Literal["raw", "ema"]] = Field(
        None, json_schema_extra={"default_words": "the experiment's first"}
    )
    """Which weights, of those that are drawn."""

    scale: Scale = 1.0
    """Which LoRA scale or merge alpha, of those that are drawn."""

    against: Maybe[str] = Field(None, json_schema_extra={"value": f"baseline, `{FIRST}`, `{FULL}`"})
    """What it is compared with: a baseline of the experiment; the first checkpoint that is drawn,
    for what training on does; the same at scale 1. With `cost`: another run."""

    says: Maybe[
        Literal["better", "worse", "the same", "not better", "not worse", "less", "more"]
    ] = None
    """How it compares by the measure (better, worse, the same, not better, not worse) or in what it
    took (less, more)."""

    at_most: Maybe[Positive] = None
    """With `cost`, instead of `against`: hours of the whole training, or GB."""


class Experiment(Settings):
    """An entry of the notebook: runs that are compared with baselines."""

    date: Maybe[
        Annotated[
            str,
            Field(
                pattern="^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
                json_schema_extra={"allowed": "a date such as 2023-06-03"},
            ),
        ]
    ] = Field(None, json_schema_extra={"value": "date"})
    """Such as 2023-06-03."""

    title: Words
    """Heading in the report."""

    question: Words
    """What the comparison is to answer."""

    expected: Maybe[str] = None
    """What was thought before."""

    observed: Maybe[str] = None
    """What a notebook saw without numbers."""

    claims: list[Claim] = Field([], json_schema_extra={"value": "list of mappings"})
    """The same as data, which the report checks."""

    runs: References = Field(
        default_factory=list,
        json_schema_extra={"value": "list of runs", "default_words": "those of `matrix`"},
    )
    """What is new."""

    matrix: Maybe[Matrix] = None
    """In place of `runs`: a run for each combination of some settings."""

    baselines: References = Field(json_schema_extra={"value": "list of models and runs"})
    """What it is compared with; of a run the last checkpoint."""

    prompts: ExperimentPrompts
    """Which sets of prompts are drawn."""

    reference: Maybe[str] = Field(
        None, json_schema_extra={"value": "dataset", "default_words": "the first run's"}
    )
    """The real pictures for measures that compare with them."""

    checkpoints: Literal["all", "last"] | Annotated[Unique[Step], Field(min_length=1)] = Field(
        "all",
        json_schema_extra={
            "allowed": "all, last or a list of steps",
            "value": "`all`, `last`, list of steps",
        },
    )
    """Which checkpoints are drawn."""

    weights: Unique[Literal["raw", "ema"]] = Field(["raw"], min_length=1)
    """Which weights; for a baseline the first of these that it has."""

    lora_scales: Unique[Scale] = Field([], max_length=100)
    """The last checkpoint of a LoRA also at these scales."""

    merge_alphas: Unique[Scale] = Field([], max_length=100)
    """That of a full fine-tune also as base + alpha × (fine-tune − base)."""

    take: Maybe[str] = Field(None, json_schema_extra={"value": "model of this experiment"})
    """Which of its models `make best` exports, as the folders of samples have it:
    `{run}/{step}/{weights}/{scale}`, as in `lora-r4/000150/raw/0.5`, or `base/{model}`; left out,
    the one that the report recommends."""


class Study(Settings):
    """A study: what there is, what is trained on what, and which questions are asked.

    As `emaki.config.load` gives it, each experiment has its `reference`, and a set of prompts has
    `texts`, already cut to its `count`, or `dataset` and `count`.
    """

    RENAMED: ClassVar[dict[str, str]] = {"evaluators": "measures"}

    study: Name
    """Folder of the results under `results/`."""

    models: Named[Model]
    """Base models."""

    measures: Named[Annotated[Measure, PluggedIn(MEASURES)]]
    """What pictures are judged by."""

    sampling: Sampling
    """How pictures are drawn."""

    evaluation: Evaluation = Field(default_factory=Evaluation)
    """How far comparisons are looked at."""

    machine: Machine = Field(default_factory=Machine)
    """What `make plan` reckons with."""

    sources: Named[Annotated[Source, PluggedIn(SOURCES)]]
    """Where pictures come from."""

    captions: Named[Annotated[Captioner, PluggedIn(CAPTIONERS)]]
    """Captioners."""

    datasets: Named[Dataset]
    """Sources with captions."""

    prompts: Named[PromptSet]
    """Sets of prompts."""

    runs: Named[Run]
    """Trainings."""

    experiments: Named[Experiment]
    """Questions."""

    votes: Unique[str] = Field([], max_length=1000, json_schema_extra={"value": "list of paths"})
    """Files of what people said, saved by the page votes.html beside the report."""

    def as_json(self) -> dict[str, Any]:
        """The study as JSON holds it, from which `model_validate` makes it again."""
        runs = {name: run.values() for name, run in self.runs.items()}
        return self.model_copy(update={"runs": {}}).model_dump(mode="json") | {"runs": runs}

    def replace(self, **values: Any) -> Self:
        """This study with other values of some sections."""
        return self.model_copy(update=values)


class TinyModels(Settings):
    """How the models in resources/ are made (config/tiny.yaml). It is no study."""

    study: Name
    """Folder of the results under `results/`."""

    sampling: Sampling
    """How their card draws pictures."""

    tiny: dict[str, Any]
    """Corpora, sizes and trainings of the models."""
