"""Until which block each model of an experiment is drawn: as far as its comparisons need it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emaki.config.blocks import cuts
from emaki.config.comparisons import paths_of
from emaki.config.settings import Study
from emaki.evaluation.metrics import metrics_of

Look = Mapping[str, list[dict[str, Any]]]
"""What a look found: {experiment: [{variant, baseline, verdicts {metric: verdict}, undecided
[roles]}]}, of the pairs that it judged."""


class Looks:
    """The looks at a study's comparisons.

    `plans` are those of emaki.config.comparisons.plans; `find` gives what the look of a
    number, from 1, has found. It is asked only for looks that decide how it goes on.
    """

    def __init__(
        self, study: Study, plans: Mapping[str, dict[str, Any]], find: Callable[[int], Look]
    ) -> None:
        self.study = study
        self.plans = plans
        self.find = find
        self.metrics = metrics_of(study.measures)
        self._cuts = {prompts: cuts(study, prompts) for prompts in study.prompts}

    def numbers(self) -> list[int]:
        """The looks after which something is or is not drawn: not the last, and none for `all`."""
        if self.study.evaluation.until == "all":
            return []
        most = max(len(found) for plan in self.plans.values() for found in plan["looks"].values())
        return list(range(1, most))

    def open_pairs(self, experiment: str, number: int) -> list[tuple[int, str]]:
        """The pairs of an experiment at which look `number` looks: (place in the plan, role)."""
        plan = self.plans[experiment]
        has_look = [role for role, found in plan["looks"].items() if number <= len(found)]
        pairs = {
            (pair["variant"], pair["baseline"]): place
            for place, pair in enumerate(plan["pairs"])
            if "errors" in pair
        }
        if number == 1 or not has_look:
            going_on = {names: self._roles(plan["pairs"][place]) for names, place in pairs.items()}
        else:
            going_on = {
                (pair["variant"], pair["baseline"]): pair["undecided"]
                for pair in self.find(number - 1).get(experiment, [])
            }
        return [
            (place, role)
            for names, place in pairs.items()
            for role in has_look
            if role in going_on.get(names, [])
        ]

    def deciding(self, experiment: str) -> set[str]:
        """The measures that give verdicts in an experiment."""
        pairs = self.plans[experiment]["pairs"]
        return {
            self.metrics[name].measure_name for pair in pairs for name in pair.get("errors", ())
        }

    def _roles(self, pair: Mapping[str, Any]) -> list[str]:
        """The roles of prompts on which a pair gets a verdict."""
        return [self.metrics[name].role for name in pair["errors"]]

    def ends_of_look(self, experiment: str, number: int) -> dict[tuple[str, str], int]:
        """{(variant, role): prompts} that look `number` needs of an experiment."""
        plan = self.plans[experiment]
        return {
            (path, role): plan["looks"][role][number - 1]
            for place, role in self.open_pairs(experiment, number)
            for path in paths_of(plan["pairs"][place])
        }

    def ends(self, experiment: str) -> dict[tuple[str, str], int]:
        """{(variant, role): prompts} with which an experiment's comparisons are decided, or end.

        What has no verdict is drawn with the first block alone.
        """
        plan = self.plans[experiment]
        found = {
            (variant, role): plan["first_block"][role]
            for variant in plan["variants"]
            for role in plan["prompts"]
        }
        for ends in self._each_look(experiment):
            found |= ends
        return found

    def drawn(self, experiment: str, block: int) -> list[tuple[str, str]]:
        """The (variant, role) of which an experiment needs a block, counted from 0."""
        plan = self.plans[experiment]
        found: dict[tuple[str, str], None] = {}
        for role, prompts in plan["prompts"].items():
            if block == 0:
                found |= dict.fromkeys((variant, role) for variant in plan["variants"])
            if block < len(self._cuts[prompts]):
                number = 1 + self._looks_before(plan["looks"][role], prompts, block)
                ends = self.ends_of_look(experiment, number)
                found |= dict.fromkeys(key for key in ends if key[1] == role)
        return list(found)

    def look_before(self, block: int) -> int:
        """The number of the look that decides what is drawn of a block; 0 if none does."""
        return max(
            (
                self._looks_before(plan["looks"][role], prompts, block)
                for plan in self.plans.values()
                for role, prompts in plan["prompts"].items()
                if block < len(self._cuts[prompts])
            ),
            default=0,
        )

    def _looks_before(self, looks: list[int], prompts: str, block: int) -> int:
        """How many looks at a set of prompts come before a block of it is drawn."""
        if self.study.evaluation.until == "all":
            return 0
        return sum(look < self._cuts[prompts][block] for look in looks)

    def _each_look(self, experiment: str) -> Iterator[dict[tuple[str, str], int]]:
        """What each look that is taken needs; with `all` what the last would."""
        plan = self.plans[experiment]
        most = max(map(len, plan["looks"].values()))
        if self.study.evaluation.until == "all":
            lasts = {role: cuts(self.study, name)[-1] for role, name in plan["prompts"].items()}
            yield {
                (variant, role): lasts[role] for variant, role in self.ends_of_look(experiment, 1)
            }
            return
        for number in range(1, most + 1):
            ends = self.ends_of_look(experiment, number)
            if not ends:
                return
            yield ends

    def asked(self, experiment: str) -> list[int]:
        """The looks that decide how far an experiment is drawn."""
        most = max(map(len, self.plans[experiment]["looks"].values()))
        went = sum(1 for _ in self._each_look(experiment))
        return [number for number in self.numbers() if number <= min(went, most - 1)]
