"""What the jobs read that ask people and count what they say."""

from emaki.common.parts import Part
from emaki.config.contests import contests, drawn_blocks
from emaki.config.settings import Study
from emaki.workflow.parts import drawn_part, score_part


class VoteFiles:
    """Where pictures, their scores and the votes on them lie."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        self.contests = contests(study)

    def samples(self) -> dict[tuple[str, str], list[Part]]:
        """{(variant, set of prompts): the samples} that all headline comparisons have."""
        return {
            (variant, one.prompts): [
                drawn_part(self.folder, variant, one.prompts, block)
                for block in range(len(drawn_blocks(self.study, one)))
            ]
            for one in self.contests
            for variant in (one.variant, one.baseline)
        }

    def scores(self) -> dict[tuple[str, str, str], list[Part]]:
        """{(measure, variant, role): its scores} of measures that give a picture a number.

        Of one that gives no verdicts only the first block is scored.
        """
        return {
            (name, variant, one.role): [
                score_part(self.folder, m.environment, name, variant, one.prompts, block)
                for block in range(len(drawn_blocks(self.study, one)) if m.decides else 1)
            ]
            for name, m in self.study.measures.items()
            for one in self.contests
            for variant in (one.variant, one.baseline)
            if one.role in m.texts and not m.compares_with_real
        }

    def ballot(self) -> str:
        """The page on which people vote."""
        return f"{self.folder}/votes.html"

    def counted(self) -> str | None:
        """The file of what the votes come to; None where there are none."""
        return f"{self.folder}/votes.json" if self.study.votes else None
