"""What the jobs read that export the best model of an experiment."""

from collections.abc import Callable
from typing import Any

from emaki.common import digests
from emaki.config.comparisons import comparisons, grid_of
from emaki.config.settings import Study
from emaki.workflow.variant_files import VariantFiles


class BestFiles:
    """Where what is exported of a study lies, and what an export reads.

    `find_choice` gives what was chosen of an experiment, where that is not simply to be read.
    """

    def __init__(
        self, study: Study, find_choice: Callable[[str], dict[str, Any]] | None = None
    ) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        self.variants = VariantFiles(study)
        self.find_choice = find_choice or self.read_choice

    def choice(self, experiment: str) -> str:
        """The file that says which model is exported."""
        return f"{self.folder}/best/{experiment}.json"

    def read_choice(self, experiment: str) -> dict[str, Any]:
        """What scripts/choose.py wrote. Raises UserError if it cannot be read."""
        return digests.read_json(self.choice(experiment))

    def answers(self, experiment: str) -> str:
        """What the comparison of an experiment found."""
        return f"{self.folder}/experiments/{experiment}.json"

    def take(self, experiment: str) -> str:
        """What scripts/choose.py is told of another model than the recommended one."""
        take = self.study.experiments[experiment].take
        return f"--take {take}" if take else ""

    def base(self, variant: str) -> str:
        """The name of the base model of a variant."""
        return self.variants.base(variant)

    def code(self, experiment: str) -> list[str]:
        """What stands for the code that exports."""
        base = self.base(self.find_choice(experiment)["variant"])
        return self.variants.models.code("scripts/export.py", base)

    def files(self, experiment: str) -> list[str]:
        """What decides an export: the base model's files, the description of the weights."""
        variant = self.find_choice(experiment)["variant"]
        return [*self.variants.model_files(variant), *self.variants.description(variant)]

    def weights(self, experiment: str) -> list[str]:
        """What is there when the weights are."""
        return self.variants.weights(self.find_choice(experiment)["variant"])

    def arguments(self, experiment: str) -> str:
        """What scripts/export.py is told of the weights."""
        variant = self.find_choice(experiment)["variant"]
        weights = self.variants.weights_arguments(variant)
        return f"--model {self.variants.model(variant)} {weights}"

    def card_settings(self, experiment: str) -> dict[str, Any]:
        """What the card tells of the config."""
        variant = self.find_choice(experiment)["variant"]
        run = self.study.runs.get(variant.split("/")[0])
        return {
            "title": self.study.experiments[experiment].title,
            "run": run and run.values(),
            "source": run and self.study.datasets[run.dataset].source,
            "model": self.study.models[self.base(variant)].model_dump(),
        }

    def grids(self, experiment: str) -> list[str]:
        """The grid that shows what is exported beside the baselines; none of a base model."""
        choice = self.find_choice(experiment)
        variant = comparisons(self.study, experiment)["variants"][choice["variant"]]
        if variant["run"] not in self.study.experiments[experiment].runs or not choice["exported"]:
            return []
        return [f"{self.folder}/grids/{experiment}/{grid_of(self.study, variant)}.png"]

    def cards(self, experiment: str) -> list[str]:
        """The cards of the datasets that it was trained on."""
        choice = self.find_choice(experiment)
        run = self.study.runs.get(choice["variant"].split("/")[0])
        if run is None or not choice["exported"]:
            return []
        return [f"{self.folder}/datasets/{run.dataset}/card.json"]
