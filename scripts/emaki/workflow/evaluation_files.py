"""What the jobs read that score, compare and show."""

from typing import Any

from emaki.config.comparisons import comparisons, grids
from emaki.config.derived import steps_of, trained
from emaki.config.settings import Study
from emaki.evaluation.measures import KIND, Measure
from emaki.workflow.code_files import code_of


class EvaluationFiles:
    """Where samples, scores and answers of a study lie, and what each job of them reads."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        # {experiment: names of its grids}
        self.grids = {name: list(grids(study, name)) for name in study.experiments}
        self.grid_names = sorted(set().union(*self.grids.values()))

    def measure(self, measure: str) -> Measure:
        """The settings of a measure."""
        return self.study.measures[measure]

    def code(self, script: str, *measures: str) -> list[str]:
        """The files of the code that a script runs with these measures; if none is named, all."""
        names = measures or self.study.measures
        return code_of(script, KIND, [self.measure(name).type for name in names])

    def grid_plan(self, experiment: str, grid: str) -> dict[str, Any]:
        """What a grid shows."""
        return grids(self.study, experiment)[grid]

    def comparison_plan(self, experiment: str) -> dict[str, Any]:
        """What an experiment compares, and by which measures in which order."""
        measures = [(name, measure.model_dump()) for name, measure in self.study.measures.items()]
        return {**comparisons(self.study, experiment), "measures": measures}

    def samples(self, experiment: str, grid: str) -> list[str]:
        """The samples that a grid shows."""
        plan = self.grid_plan(experiment, grid)
        variants = dict.fromkeys(column["variant"] for column in plan["columns"])
        return [
            f"{self.folder}/samples/{variant}/{prompts}.parquet"
            for variant in variants
            for prompts, _ in plan["rows"]
        ]

    def scores(self, experiment: str) -> list[str]:
        """The scores of all that an experiment compares."""
        plan = comparisons(self.study, experiment)
        return [
            f"{self.folder}/scores/{name}/{variant}/{prompts}.parquet"
            for name, measure in self.study.measures.items()
            for variant in plan["variants"]
            for role, prompts in plan["prompts"].items()
            if role in measure.texts
        ]

    def references(self, experiment: str) -> list[str]:
        """What the measures that compare with real pictures made of those of an experiment."""
        dataset = self.study.experiments[experiment].reference
        return [
            f"{self.folder}/references/{name}/{dataset}.parquet"
            for name, measure in self.study.measures.items()
            if measure.compares_with_real
        ]

    def answers(self, experiment: str) -> str:
        """What the comparison of an experiment found."""
        return f"{self.folder}/experiments/{experiment}.json"

    def grid(self, experiment: str, grid: str) -> str:
        """The picture of a grid."""
        return f"{self.folder}/grids/{experiment}/{grid}.png"

    def metrics(self, run: str) -> list[str]:
        """What the segments of a run measured."""
        steps = steps_of(self.study, run)
        return [f"{self.folder}/runs/{run}/{step:06d}/metrics.parquet" for step in steps]

    def shown_grids(self) -> list[str]:
        """The grids that the report shows."""
        return [self.grid(name, grid) for name, names in self.grids.items() for grid in names]

    def shown_runs(self) -> list[str]:
        """The runs whose metrics the report shows: one that no experiment has is not trained."""
        asked = {run for entry in self.study.experiments.values() for run in entry.runs}
        return [run for run in self.study.runs if run in asked]

    def shown_metrics(self) -> list[str]:
        """The metrics that the report shows."""
        return [path for run in self.shown_runs() for path in self.metrics(run)]

    def shown_datasets(self) -> list[str]:
        """The folders of the datasets that the report shows."""
        seen = {self.study.runs[run].dataset for run in trained(self.study)}
        seen |= {entry.reference for entry in self.study.experiments.values() if entry.reference}
        return [f"{self.folder}/datasets/{name}" for name in self.study.datasets if name in seen]
