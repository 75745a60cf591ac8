"""What a config names by repository and commit of the hub."""

from collections.abc import Iterator
from typing import NamedTuple

from emaki.common.messages import KeyPath
from emaki.common.model_folders import HUB_FOLDER
from emaki.common.settings import ModelFolder, Settings
from emaki.config.derived import starts
from emaki.config.settings import Study


class Unpinned(NamedTuple):
    """An entry of the config that has a repository without its `revision`."""

    entry: KeyPath
    """The keys of the entry."""
    repo: str


def unpinned(study: Study) -> Iterator[Unpinned]:
    """The commits that are missing."""
    for name, model in study.models.items():
        if model.repo and not model.revision:
            yield Unpinned(("models", name), model.repo)
    for path, folder in model_folders(study):
        if folder.pinned and not folder.pinned.revision:
            yield Unpinned(path, folder.pinned.repo)
    for name, source in study.sources.items():
        repo = getattr(source, "repo", None)
        if repo and not getattr(source, "revision", None):
            yield Unpinned(("sources", name), repo)


def problems(study: Study, file: str) -> Iterator[tuple[KeyPath, str]]:
    """What to say of the commits that are missing in the config that is `file`."""
    for entry, repo in unpinned(study):
        what = f"is missing: `make pin CONFIG={file}` prints the commit to put in"
        if entry[0] == "sources":
            what += (
                f"; if {repo} is gone, give {entry[0]}.{entry[1]} another value: {{type: hub, "
                "repo: owner/name}, {type: folder, path: my/pictures} or "
                "{type: dicebear, style: critters, count: 720}"
            )
        yield (*entry, "revision"), what


def raw_starts(study: Study, model: str) -> list[str]:
    """The runs that start from the raw (non-EMA) weights of a model."""
    return [
        name
        for name, run in study.runs.items()
        if run.model == model and "non_ema" in starts(run).values()
    ]


def repository(path: str) -> str | None:
    """The owner/name of a repository from the folder of a model; None for one of the user's own."""
    inside = str(path).startswith(f"{HUB_FOLDER}/")
    return "/".join(str(path).removeprefix(f"{HUB_FOLDER}/").split("/")[:2]) if inside else None


def model_folders(study: Study) -> Iterator[tuple[KeyPath, ModelFolder]]:
    """The models that measures and captioners use, and the keys where they stand."""
    for name, measure in study.measures.items():
        yield from _folders(measure, ("measures", name))
    for name, captioner in study.captions.items():
        yield from _folders(captioner, ("captions", name))


def _folders(entry: Settings, path: KeyPath) -> Iterator[tuple[KeyPath, ModelFolder]]:
    for key, value in entry:
        if isinstance(value, ModelFolder):
            yield (*path, key), value
        elif isinstance(value, Settings):
            yield from _folders(value, (*path, key))
