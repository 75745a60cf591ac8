"""The files of base models that jobs read, and the code that knows what to do with them."""

from collections.abc import Iterable, Mapping

from emaki.common.model_folders import HUB_FOLDER
from emaki.config.settings import Model, Study
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
        """The files of these parts of a model's pipeline, keys of Family.files, and its index.

        Where only a repository knows them they are the list that is made of all of its files.
        """
        entry = self.study.models[model]
        if entry.repo is not None and entry.family.in_parts:
            names = [INDEX, "files.json"]
        else:
            files = entry.family.files()
            names = [INDEX, *(file for part in parts for file in files[part])]
        return [f"{self.folder(model)}/{name}" for name in names]

    def code(self, script: str, model: str) -> list[str]:
        """What stands for the code that a script runs with a model."""
        return code_of(script, module_name(self.study.models[model].family.pipeline))

    def repositories(self, pipeline: str) -> set[str]:
        """The repositories of the hub whose models are pipelines of this class."""
        models = self.study.models.values()
        return {m.repo for m in models if m.repo and m.family.pipeline == pipeline}

    def repositories_in_parts(self) -> set[str]:
        """The repositories of the hub whose models may have weights in parts."""
        models = self.study.models.values()
        return {m.repo for m in models if m.repo and m.family.in_parts}

    def hub_files(self, repo: str, revision: str) -> list[str]:
        """The files of a pipeline that may have weights in parts, which are named as one file."""
        model = self._of_folder(f"{HUB_FOLDER}/{repo}/{revision}")
        files = hub_files(model.family.pipeline)
        return [file for file in files if file.split("/")[0] not in model.left_out]

    def hub_arguments(self, repo: str, revision: str) -> str:
        """What scripts/hub_model.py is told of such a pipeline besides."""
        model = self._of_folder(f"{HUB_FOLDER}/{repo}/{revision}")
        less = ["--without", *model.left_out] if model.left_out else []
        return " ".join(["--pipeline", model.family.pipeline, "--in-parts", *less])

    def _of_folder(self, folder: str) -> Model:
        return next(model for model in self.study.models.values() if model.folder == folder)

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
