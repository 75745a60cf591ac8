"""The settings of what is drawn: how, and from which prompts."""

from typing import Annotated, Literal

from pydantic import Field

from emaki.common.settings import Maybe, Name, Settings, Unique, Words

Seed = Annotated[int, Field(ge=0, le=9007199254740991)]
MOST_PROMPTS = 10_000  # of a set


class Sampling(Settings):
    """How pictures are drawn."""

    # Of a model's 1000 timesteps dpmsolver++ and unipc cannot make 999 steps, ddim, ddpm and pndm
    # not 1000.
    steps: int = Field(20, ge=1, le=998)
    """Denoising steps; with `pndm` at least 4, unless the model's scheduler has `skip_prk_steps`,
    as Stable Diffusion's has."""

    guidance_scale: float = Field(5.0, ge=1, le=50)
    """Classifier-free guidance; 1 is none."""

    scheduler: Literal["ddim", "ddpm", "dpmsolver++", "euler", "pndm", "unipc"] = "ddim"
    """The sampler."""

    seeds: Unique[Seed] = Field([0, 1, 2], min_length=1)
    """One picture of each prompt per seed; each prompt has its own noise of a seed."""

    resolution: int = Field(64, ge=16, le=2048, multiple_of=8)
    """Width and height in pixels."""

    batch_size: int = Field(8, ge=1, le=1024)
    """Pictures that are drawn at a time: with more a GPU is quicker and needs more memory. Another
    number gives pictures that differ in their last bits."""


class PromptSet(Settings):
    """A set of prompts, from exactly one of texts, file, template and dataset."""

    texts: Maybe[list[Words]] = Field(None, min_length=1)
    """The prompts."""

    file: Maybe[str] = Field(None, json_schema_extra={"value": "path"})
    """A text file, one prompt per line; lines that begin with `#` are left out."""

    template: Maybe[Words] = None
    """A prompt with names in braces, for which `values` stand. Of a list with commas, and perhaps
    `and`, what has only empty values is left out; `a` becomes `an` before a vowel."""

    values: Maybe[
        Annotated[
            dict[Name, Annotated[Unique[str], Field(min_length=1)]],
            Field(min_length=1, json_schema_extra={"value": "mapping of names to lists of texts"}),
        ]
    ] = None
    """With `template`: what may stand for each of its names. A text may be empty."""

    dataset: Maybe[str] = Field(None, json_schema_extra={"value": "dataset"})
    """Its captions are the prompts, those of the validation part first."""

    count: Maybe[int] = Field(None, ge=1, le=MOST_PROMPTS)
    """How many, in an order in which a longer set begins with a shorter one; by default all that
    there are. With `dataset` it must be given."""

    @property
    def size(self) -> int:
        """How many prompts there are; of a dataset, how many at most."""
        return self.count or len(self.texts or [])
