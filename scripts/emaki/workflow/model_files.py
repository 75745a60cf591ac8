"""The files of base models that jobs read, and the code that knows what to do with them."""

from collections.abc import Iterable, Mapping

from emaki.common.model_folders import HUB_FOLDER
from emaki.config.settings import Study
from emaki.families import INDEX, find_class, module_name
from emaki.workflow.code_files import code_of


def hub_files(pipeline: str) -> list[str]:
    """The files of a pipeline on the hub, but for its raw weights, which few runs need."""
    return [INDEX, *find_class(pipeline)(HUB_FOLDER).needed()]


class ModelFiles:
    """Where the base models of a study lie."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def folder(self, model: str) -> str:
        """The folder of a model, by its name."""
        return self.study.models[model].folder

    def parts(self, model: str, *parts: str) -> list[str]:
        """The files of these parts of a model's pipeline, keys of Family.files, and its index."""
        files = self.study.models[model].family.files()
        names = [INDEX, *(file for part in parts for file in files[part])]
        return [f"{self.folder(model)}/{name}" for name in names]

    def code(self, script: str, model: str) -> list[str]:
        """What stands for the code that a script runs with a model."""
        return code_of(script, module_name(self.study.models[model].family.pipeline))

    def repositories(self, pipeline: str) -> set[str]:
        """The repositories of the hub whose models are pipelines of this class."""
        models = self.study.models.values()
        return {m.repo for m in models if m.repo and m.family.pipeline == pipeline}

    def download(self, jobs: Iterable[tuple[str, Mapping[str, str]]]) -> bool:
        """Whether some of these jobs, (rule, wildcards), take something from the hub."""
        taken = {name for name, s in self.study.sources.items() if getattr(s, "repo", None)}
        return any(
            rule.startswith("hub_")
            or (rule.startswith("images") and wildcards.get("source") in taken)
            for rule, wildcards in jobs
        )

    def non_ema_sha256(self, path: str) -> str | None:
        """The digest of the pickle that these raw weights are made of, if they are of one."""
        models = self.study.models.values()
        return next((m.non_ema_sha256 for m in models if path.startswith(f"{m.folder}/")), None)
