"""What the jobs read that show the training pictures to which drawn ones are nearest."""

from typing import Any

from emaki.common.parts import Part
from emaki.config.comparisons import plans
from emaki.config.settings import Study
from emaki.workflow.parts import drawn_part, score_part

HEADLINE = "headline"  # the family of comparisons that an experiment is about


class NearestFiles:
    """Where drawn pictures, what the measure made of them, and the training pictures lie.

    The first measure of the study finds them that can; without one nothing is shown.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        able = [name for name, measure in study.measures.items() if measure.shows_nearest]
        self.measure = able[0] if able else None
        # {experiment: the models that it is about}, whose pictures are shown
        self.variants = {
            name: list(
                dict.fromkeys(p["variant"] for p in plan["pairs"] if p["family"] == HEADLINE)
            )
            for name, plan in (plans(study) if able else {}).items()
        }

    def plan(self, experiment: str) -> dict[str, Any]:
        """What decides an experiment's pairs beside the files."""
        assert self.measure is not None
        measure = self.study.measures[self.measure]
        return {"variants": self.variants[experiment], "measure": measure.model_dump()}

    def samples(self, experiment: str) -> dict[str, Part]:
        """{variant: its pictures} of the first block of the domain's prompts."""
        prompts = self.study.experiments[experiment].prompts.domain
        return {v: drawn_part(self.folder, v, prompts, 0) for v in self.variants[experiment]}

    def scores(self, experiment: str) -> dict[str, Part]:
        """{variant: what the measure made of these pictures}."""
        assert self.measure is not None
        prompts = self.study.experiments[experiment].prompts.domain
        environment = self.study.measures[self.measure].environment
        return {
            variant: score_part(self.folder, environment, self.measure, variant, prompts, 0)
            for variant in self.variants[experiment]
        }

    def reference(self, experiment: str) -> str:
        """What the measure made of the real pictures."""
        dataset = self.study.experiments[experiment].reference
        return f"{self.folder}/references/{self.measure}/{dataset}.parquet"

    def training_pictures(self, experiment: str) -> str:
        """The training pictures themselves, or where each is in a dataset of shards."""
        dataset = self.study.experiments[experiment].reference
        return f"{self.folder}/datasets/{dataset}/data/train.parquet"

    def content(self, experiment: str) -> str:
        """What says whether these have changed."""
        return f"{self.folder}/datasets/{self.study.experiments[experiment].reference}/content.json"

    def pairs(self, experiment: str) -> str:
        """The file with the nearest pairs of an experiment."""
        return f"{self.folder}/nearest/{experiment}.parquet"

    def shown(self) -> list[str]:
        """The files that the report shows."""
        return [self.pairs(experiment) for experiment in self.variants]
