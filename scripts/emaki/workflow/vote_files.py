"""What the jobs read that ask people and count what they say."""

from emaki.config.contests import contests, drawn_blocks
from emaki.config.settings import Study


class VoteFiles:
    """Where pictures, their scores and the votes on them lie."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"results/{study.study}"
        self.contests = contests(study)

    def samples(self) -> dict[tuple[str, str], list[str]]:
        """{(variant, set of prompts): the samples} that all headline comparisons have."""
        return {
            (variant, one.prompts): [
                f"{self.folder}/samples/{variant}/{one.prompts}/{block}.parquet"
                for block in drawn_blocks(self.study, one)
            ]
            for one in self.contests
            for variant in (one.variant, one.baseline)
        }

    def ballot(self) -> str:
        """The page on which people vote."""
        return f"{self.folder}/votes.html"
