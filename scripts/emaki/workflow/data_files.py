"""What the jobs read that prepare data: sources, captions, datasets, latents.

A `source` or a `dataset` is a name of the config, or that of a shard of it: {name}/shards/{shard}.
"""

import functools
from typing import Any

from emaki.captioners import KIND as CAPTIONERS
from emaki.captioners import Captioner
from emaki.config.blocks import bounds
from emaki.config.settings import Study
from emaki.data.settings import Dataset
from emaki.data.sources import KIND as SOURCES
from emaki.data.sources import Source
from emaki.workflow.code_files import code_with
from emaki.workflow.parameters import as_json


class DataFiles:
    """Where the data of a study lies, and what each job reads that makes it."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        # {source: {shard: file}}, of those whose pictures stay in files that are a shard each
        archives = {name: source.archives() for name, source in study.sources.items()}
        self.archives = {name: files for name, files in archives.items() if files}
        self.stored_sources = [name for name in study.sources if name not in self.archives]
        # {source: its shards} and {dataset: its shards}, of those that are not in one piece
        shards = {name: source.shard_names() for name, source in study.sources.items()}
        self.source_shards = {name: names for name, names in shards.items() if names}
        self.dataset_shards = {
            name: self.source_shards[dataset.source]
            for name, dataset in study.datasets.items()
            if dataset.source in self.source_shards
        }
        self.whole_datasets = [name for name in study.datasets if name not in self.dataset_shards]

    @functools.cache  # noqa: B019 - there is one for as long as Snakemake runs
    def source(self, source: str) -> Source:
        """The settings of a source; of a shard that is a file, the source of that file alone."""
        name, _, shard = source.partition("/shards/")
        whole = self.study.sources[name]
        if shard and name in self.archives:
            return whole.model_copy(update={"path": self.archives[name][shard]})
        return whole

    def captioner(self, captioner: str) -> Captioner:
        """The settings of a captioner."""
        return self.study.captions[captioner]

    def captioners(self, needs_gpu: bool) -> list[str]:
        """The names of the captioners that ask for a GPU, or of those that do not."""
        found = self.study.captions.items()
        return [name for name, captioner in found if captioner.needs_gpu == needs_gpu]

    def dataset(self, dataset: str) -> Dataset:
        """The settings of a dataset, or of that which a shard is of."""
        return self.study.datasets[dataset.partition("/")[0]]

    def source_of(self, dataset: str) -> str:
        """The source, or shard of it, that a dataset or shard is made of."""
        _, slash, shard = dataset.partition("/")
        return f"{self.dataset(dataset).source}{slash}{shard}"

    def source_code(self, source: str) -> list[str]:
        """What stands for the code that gives the pictures of a source."""
        return code_with("scripts/images.py", SOURCES, [self.source(source).type])

    def source_entry(self, source: str) -> str:
        """What decides a source's pictures, as JSON. In how many shards they go does not."""
        return as_json(self.source(source).model_dump(mode="json", exclude={"shards"}))

    def captioner_code(self, captioner: str) -> list[str]:
        """What stands for the code of a captioner."""
        return code_with("scripts/caption.py", CAPTIONERS, [self.captioner(captioner).type])

    def captions_below(self, source: str, captioner: str) -> list[str]:
        """The table that another captioner changes; none where it changes none."""
        below = getattr(self.captioner(captioner), "of", None)
        return [f"{self.folder}/captions/{source}/{below}.parquet"] if below else []

    def pictures(self, source: str) -> str | list[str]:
        """Where the pictures of a source or shard are: their folder, which shards share, or a tar.

        Those on the hub are brought by the jobs that read them.
        """
        if source.partition("/")[0] in self.archives:
            return self.source(source).inputs()
        return f"{self.folder}/images/{source.partition('/')[0]}/pictures"

    def images(self, dataset: str, file: str) -> str:
        """A file of the source, or shard of it, that a dataset is made of."""
        return f"{self.folder}/images/{self.source_of(dataset)}/{file}"

    def captions(self, dataset: str) -> str:
        """The table of captions that a dataset is made of."""
        captioner = self.dataset(dataset).captions
        return f"{self.folder}/captions/{self.source_of(dataset)}/{captioner}.parquet"

    def of_shards(self, dataset: str, path: str) -> list[str]:
        """A file of each shard of a dataset: `path`, which has {shard}, in the study's folder."""
        shards = self.dataset_shards[dataset]
        return [f"{self.folder}/{path.format(shard=shard)}" for shard in shards]

    def prompts_dataset(self, prompts: str) -> list[str]:
        """The files of the dataset whose captions are a set of prompts, if one is."""
        dataset = self.study.prompts[prompts].dataset
        splits = ["train", "validation"] if dataset else []
        return [f"{self.folder}/datasets/{dataset}/data/{split}.parquet" for split in splits]

    def prompts_of_block(self, prompts: str, block: str) -> dict[str, Any]:
        """What decides the prompts of a block: themselves, or the dataset that they are from."""
        entry, (first, last) = self.study.prompts[prompts], bounds(block)
        if entry.texts is not None:
            return {"texts": entry.texts[first:last]}
        return {"dataset": entry.dataset, "count": min(entry.size, last)}
