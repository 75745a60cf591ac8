"""The files of base models that jobs read."""

from collections.abc import Iterable, Mapping

from emaki.config.pipelines import NEEDED, PIPELINE_FILES
from emaki.config.settings import Study

# Of a pipeline on the hub, but for its raw weights, which few runs need.
HUB_PIPELINE_FILES = ["model_index.json", *NEEDED]


class ModelFiles:
    """Where the base models of a study lie."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def folder(self, model: str) -> str:
        """The folder of a model, by its name."""
        return self.study.models[model].folder

    def parts(self, model: str, *parts: str) -> list[str]:
        """The files of these parts of a model's pipeline, keys of PIPELINE_FILES."""
        return [f"{self.folder(model)}/{file}" for part in parts for file in PIPELINE_FILES[part]]

    def download(self, jobs: Iterable[tuple[str, Mapping[str, str]]]) -> bool:
        """Whether some of these jobs, (rule, wildcards), take something from the hub."""
        taken = {name for name, s in self.study.sources.items() if getattr(s, "repo", None)}
        return any(
            rule.startswith("hub_") or (rule.startswith("images") and wildcards["source"] in taken)
            for rule, wildcards in jobs
        )

    def non_ema_sha256(self, path: str) -> str | None:
        """The digest of the pickle that these raw weights are made of, if they are of one."""
        models = self.study.models.values()
        return next((m.non_ema_sha256 for m in models if path.startswith(f"{m.folder}/")), None)
