"""What the jobs read that score, compare and show."""

import functools
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from emaki.common import digests
from emaki.common.errors import UserError
from emaki.common.parts import Part
from emaki.config.blocks import blocks
from emaki.config.comparisons import grids, paths_of, plans
from emaki.config.derived import steps_of, trained
from emaki.config.pages import PAGES, is_paged
from emaki.config.settings import Study
from emaki.evaluation.calibration import calibrated
from emaki.evaluation.measures import KIND, Measure
from emaki.evaluation.metrics import metrics_of
from emaki.workflow.code_files import code_with
from emaki.workflow.looks import Look, Looks
from emaki.workflow.parts import ScoreParts, drawn_part, score_part


class EvaluationFiles:
    """Where samples, scores and answers of a study lie, and what each job of them reads.

    `find_look` gives what a look found, where that is not simply to be read from its file.
    """

    def __init__(self, study: Study, find_look: Callable[[int], Look] | None = None) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        self.plans = plans(study)
        # {experiment: its plan, with those pairs alone that have several trainings}
        self.recipes = {
            name: {**plan, "pairs": pairs}
            for name, plan in self.plans.items()
            if (pairs := [pair for pair in plan["pairs"] if "trainings" in pair])
        }
        self.looks = Looks(study, self.plans, find_look or self.read_look)
        found = {name: grids(study, name) for name in study.experiments}
        # {experiment: names of its grids}
        self.grids = {name: list(own) for name, own in found.items()}
        self.is_paged = is_paged(study, (grid for own in found.values() for grid in own.values()))
        self.grid_names = sorted(set().union(*self.grids.values()))
        self.block_names = sorted(
            {name for prompts in study.prompts for name in blocks(study, prompts)}
        )

    def measure(self, measure: str) -> Measure:
        """The settings of a measure."""
        return self.study.measures[measure]

    def code(self, script: str, *measures: str) -> list[str]:
        """What stands for the code that a script runs with these measures, or with all."""
        names = measures or self.study.measures
        return code_with(script, KIND, [self.measure(name).type for name in names])

    def grid_plan(self, experiment: str, grid: str) -> dict[str, Any]:
        """What a grid shows."""
        return grids(self.study, experiment)[grid]

    def comparison_plan(self, experiment: str) -> dict[str, Any]:
        """What an experiment compares, and by which measures in which order."""
        return {**self.plans[experiment], "measures": self._measures()}

    def look_parameters(self, number: int) -> dict[str, Any]:
        """What a look judges, and by which measures in which order."""
        plans = {name: self.look_plan(name, number) for name in self.look_scores(number)}
        return {"plans": plans, "measures": self._measures()}

    def look_plan(self, experiment: str, number: int) -> dict[str, Any]:
        """What an experiment compares, with what look `number` judges of it alone."""
        plan, metrics = self.plans[experiment], metrics_of(self.study.measures)
        open_roles: dict[int, list[str]] = {}
        for place, role in self.looks.open_pairs(experiment, number):
            open_roles.setdefault(place, []).append(role)
        pairs = []
        for place, roles in open_roles.items():
            pair = plan["pairs"][place]
            errors = {n: error for n, error in pair["errors"].items() if metrics[n].role in roles}
            pairs.append({**pair, "errors": errors})
        return {**plan, "pairs": pairs}

    def _measures(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, measure.model_dump()) for name, measure in self.study.measures.items()]

    def samples(self, experiment: str, grid: str) -> dict[tuple[str, str], list[Part]]:
        """{(variant, set of prompts): the samples} that a grid shows: their first blocks."""
        plan = self.grid_plan(experiment, grid)
        variants = dict.fromkeys(column["variant"] for column in plan["columns"])
        return {
            (variant, prompts): [drawn_part(self.folder, variant, prompts, 0)]
            for variant in variants
            for prompts, _ in plan["rows"]
        }

    def scores(self, experiment: str) -> ScoreParts:
        """The scores of all that an experiment compares, each up to where it was decided.

        By a measure that decides nothing they are those of the first block.
        """
        first, decide = self.plans[experiment]["first_block"], self.looks.deciding(experiment)
        ends = self.looks.ends(experiment)
        begun = {(variant, role): first[role] for variant, role in ends}
        others = self.study.measures.keys() - decide
        return self._blocks(experiment, ends, decide) | self._blocks(experiment, begun, others)

    def look_scores(self, number: int) -> dict[str, ScoreParts]:
        """{experiment: the scores that look `number` judges}, of those that are not decided."""
        found = {name: self.looks.ends_of_look(name, number) for name in self.plans}
        return {
            name: self._blocks(name, ends, self.looks.deciding(name))
            for name, ends in found.items()
            if ends
        }

    def _blocks(
        self, experiment: str, ends: Mapping[tuple[str, str], int], measures: Container[str]
    ) -> ScoreParts:
        """The scores by these measures up to so many prompts, {(variant, role): prompts}."""
        sets = self.plans[experiment]["prompts"]
        return {
            (name, variant, role): [
                score_part(self.folder, measure.environment, name, variant, sets[role], block)
                for block in range(len(blocks(self.study, sets[role], end)))
            ]
            for name, measure in self.study.measures.items()
            for (variant, role), end in ends.items()
            if name in measures and role in measure.texts
        }

    def spreads(self, *experiments: str) -> list[str]:
        """The file of how far trainings lie apart, if such an experiment has several of a run."""
        recipes = any(name in self.recipes for name in experiments)
        return [f"{self.folder}/spreads.json"] if recipes else []

    def spread_scores(self) -> dict[str, ScoreParts]:
        """{experiment: the scores of its trainings up to the first look}."""
        return {
            name: self._blocks(
                name,
                {
                    (path, role): found[0]
                    for pair in plan["pairs"]
                    for path in paths_of(pair)
                    for role, found in plan["looks"].items()
                },
                [measure for measure, found in self.study.measures.items() if found.decides],
            )
            for name, plan in self.recipes.items()
        }

    def spread_parameters(self) -> dict[str, Any]:
        """What is compared for that, and by which measures."""
        return {"plans": self.recipes, "measures": self._measures()}

    def look(self, number: int | str) -> str:
        """The file of what a look found."""
        return f"{self.folder}/looks/{number}.json"

    def read_look(self, number: int) -> Look:
        """What a look found, from its file. Raises UserError if it cannot be read."""
        path = Path(self.look(number))
        try:
            return _parse(path, path.stat().st_mtime_ns)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None

    def references(self, experiment: str) -> dict[str, str]:
        """{measure: what it made of the real pictures of an experiment}, where it compares so."""
        dataset = self.study.experiments[experiment].reference
        return {
            name: f"{self.folder}/references/{name}/{dataset}.parquet"
            for name, measure in self.study.measures.items()
            if measure.compares_with_real
        }

    def real_pictures(self, measure: str, dataset: str) -> list[str]:
        """The files of a dataset, or shard of one, whose pictures a measure encodes."""
        splits = self.measure(measure).reference_splits
        return [f"{self.folder}/datasets/{dataset}/data/{split}.parquet" for split in splits]

    def calibrations(self, experiment: str) -> dict[tuple[str, str, str], str]:
        """{(measure, base model, role): what damage costs}, where a margin is found by that."""
        plan = self.plans[experiment]
        return {
            (name, model, role): f"{self.folder}/calibrations/{name}/{place}.parquet"
            for name, model, role in calibrated(plan, self.study.measures)
            for is_distance in [self.measure(name).compares_with_real]
            for place in [plan["reference"] if is_distance else f"{model}/{plan['prompts'][role]}"]
        }

    def calibrated_samples(self, model: str, prompts: str) -> Part:
        """The pictures that are damaged for that: the first block of a base model's."""
        return drawn_part(self.folder, f"base/{model}", prompts, 0)

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

    def entry_pages(self) -> list[str]:
        """The folder of the report's pages for each entry, unless all is on one page."""
        return [f"{self.folder}/{PAGES}"] if self.is_paged else []

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


@functools.lru_cache(maxsize=16)
def _parse(path: Path, _written: int) -> Look:
    """The JSON of a file that was written then: each experiment asks for it several times."""
    return digests.read_json(path)
