"""What the experiments of a study ask of each owner (emaki.workflow.parts), block by block."""

from collections.abc import Callable, Mapping
from typing import Any

from emaki.config.settings import Study
from emaki.evaluation.calibration import calibrated
from emaki.workflow.looks import Look, Looks
from emaki.workflow.parts import owner_of

Asked = dict[str, dict[tuple[str, str], list[str]]]
"""{owner: {(variant, set of prompts): the measures that score its pictures}}, sorted."""


class Asking:
    """What all experiments together ask of a block.

    `plans` are those of emaki.config.comparisons.plans, `find` gives what a look has found.
    """

    def __init__(
        self, study: Study, plans: Mapping[str, dict[str, Any]], find: Callable[[int], Look]
    ) -> None:
        self.study = study
        self.plans = plans
        self.looks = Looks(study, plans, find)
        # {block: (what the look found that decides it, what is asked)}: each job of a block asks
        self._kept: dict[int, tuple[Look | None, Asked]] = {}

    def of_block(self, block: int) -> Asked:
        """What is asked of a block, as far as the looks before it say that it goes on."""
        number = self.looks.look_before(block)
        look = self.looks.find(number) if number else None
        if block not in self._kept or self._kept[block][0] is not look:
            self._kept[block] = look, self._gather(block)
        return self._kept[block][1]

    def _gather(self, block: int) -> Asked:
        found: dict[str, dict[tuple[str, str], set[str]]] = {}
        for experiment, plan in self.plans.items():
            judging = self._judging(experiment, block)
            asked = [
                ((variant, plan["prompts"][role]), judging[role])
                for variant, role in self.looks.drawn(experiment, block)
            ]
            for key, measures in asked + (self._damaged(plan) if block == 0 else []):
                found.setdefault(owner_of(key[0]), {}).setdefault(key, set()).update(measures)
        return {
            owner: {key: sorted(own[key]) for key in sorted(own)} for owner, own in found.items()
        }

    def _judging(self, experiment: str, block: int) -> dict[str, set[str]]:
        """{role: the measures of its prompts}; only the first block is scored by all."""
        measures, deciding = self.study.measures, self.looks.deciding(experiment)
        names = measures if block == 0 else [name for name in measures if name in deciding]
        return {
            role: {name for name in names if role in measures[name].texts}
            for role in self.plans[experiment]["prompts"]
        }

    def _damaged(self, plan: Mapping[str, Any]) -> list[tuple[tuple[str, str], set[str]]]:
        """The pictures of base models that are damaged to find margins."""
        measures = self.study.measures
        return [
            ((f"base/{model}", plan["prompts"][role]), set())
            for name, model, role in calibrated(plan, measures)
            if not measures[name].compares_with_real
        ]
