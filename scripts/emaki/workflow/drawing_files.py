"""What the jobs read that draw and score: one job of each kind for each block of an owner.

An owner and its blocks are those of emaki.workflow.parts.
"""

from typing import Any

from emaki.config.blocks import blocks
from emaki.evaluation.measures import KIND
from emaki.workflow.asked import Asking
from emaki.workflow.code_files import code_with, summary_of
from emaki.workflow.evaluation_files import EvaluationFiles
from emaki.workflow.variant_files import VariantFiles


class DrawingFiles:
    """What is drawn and scored of each owner's blocks, and where that lies."""

    def __init__(self, evaluation: EvaluationFiles, variants: VariantFiles) -> None:
        self.study = evaluation.study
        self.folder = evaluation.folder
        self.variants = variants
        # By what looks have written, whatever Snakemake knows: who asks for a block has found out
        # that it goes on, and the Snakemake of a cluster's job knows of no checkpoint.
        self.asking = Asking(self.study, evaluation.plans, evaluation.read_look)
        self.owners = [*(f"base/{model}" for model in self.study.models), *variants.runs]
        self.environments = sorted({m.environment for m in self.study.measures.values()})

    def drawn(self, owner: str, block: str) -> list[tuple[str, str]]:
        """The (variant, set of prompts) that are drawn."""
        return list(self.asking.of_block(int(block)).get(owner, {}))

    def drawn_variants(self, owner: str, block: str) -> list[str]:
        """The variants among them."""
        return list(dict.fromkeys(variant for variant, _ in self.drawn(owner, block)))

    def prompts(self, owner: str, block: str) -> dict[str, str]:
        """{set: the file of the block's prompts}."""
        names = dict.fromkeys(name for _, name in self.drawn(owner, block))
        return {
            name: f"{self.folder}/prompts/{name}/{blocks(self.study, name)[int(block)]}.parquet"
            for name in names
        }

    def checkpoints(self, owner: str, block: str) -> list[str]:
        """The folders of the checkpoints that the variants are made of; none of a base model."""
        if owner.startswith("base/"):
            return []
        return list(dict.fromkeys(map(self.variants.checkpoint, self.drawn_variants(owner, block))))

    def drawing_plan(self, owner: str, block: str) -> dict[str, Any]:
        """What scripts/sample.py draws, of which prompts and with which weights."""
        variants = self.drawn_variants(owner, block)
        return {
            "drawn": self.drawn(owner, block),
            "prompts": self.prompts(owner, block),
            "weights": {variant: self.variants.weights_of(variant) for variant in variants},
        }

    def scored(self, environment: str, owner: str, block: str) -> list[tuple[str, str, str]]:
        """The (measure, variant, set of prompts) that are scored in an environment."""
        measures = self.study.measures
        return [
            (name, *key)
            for key, names in self.asking.of_block(int(block)).get(owner, {}).items()
            for name in names
            if measures[name].environment == environment
        ]

    def measures(self, environment: str, owner: str, block: str) -> list[str]:
        """The measures among them."""
        return sorted({name for name, *_ in self.scored(environment, owner, block)})

    def scoring_code(self, environment: str, owner: str, block: str) -> list[str]:
        """The files of the code that scores by these."""
        measures = self.measures(environment, owner, block)
        types = [self.study.measures[name].type for name in measures]
        return code_with("scripts/score.py", KIND, types)

    def judges(self, environment: str, owner: str, block: str) -> list[str]:
        """The files of the models that these ask."""
        measures = self.measures(environment, owner, block)
        found = (file for name in measures for file in self.study.measures[name].files())
        return list(dict.fromkeys(found))

    def scoring_plan(self, environment: str, owner: str, block: str) -> dict[str, Any]:
        """What scripts/score.py scores, by what, and by which code."""
        names = self.measures(environment, owner, block)
        return {
            **self.scoring_parameters(environment, owner, block),
            "code": {name: self.code_digest(name) for name in names},
        }

    def scoring_parameters(self, environment: str, owner: str, block: str) -> dict[str, Any]:
        """What of that plan the config decides; the code is among the job's inputs."""
        names = self.measures(environment, owner, block)
        measures = {name: self.study.measures[name] for name in names}
        return {
            "scored": self.scored(environment, owner, block),
            "measures": {name: measure.scoring() for name, measure in measures.items()},
        }

    def code_digest(self, measure: str, script: str = "scripts/score.py") -> str:
        """A digest of the code that a script runs with a measure: part of what a value is."""
        return summary_of(code_with(script, KIND, [self.study.measures[measure].type]))
