"""Which pictures people are asked to compare: some of each headline comparison's."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from emaki.config.blocks import blocks, cuts, looks
from emaki.config.derived import compared
from emaki.config.settings import Study

PAIRS = 480  # on a page, as many as somebody may be asked to look at, shared by the comparisons
MOST = 60  # of a comparison
DOMAIN = 2 / 3  # of them on the domain's prompts, the others on unrelated ones


class Contest(NamedTuple):
    """Two models on the prompts of one role."""

    variant: str
    baseline: str
    """Their paths."""
    role: str
    prompts: str
    """The set."""
    first: int
    number: int
    """Which of its prompts are asked: so many from `first` on, and again from its beginning."""


def contests(study: Study) -> list[Contest]:
    """The headline comparisons of all experiments, each once, with the prompts that are asked.

    Comparisons on one set have prompts of their own, as far as there are enough: who sees a
    baseline's picture again knows which one it is.
    """
    asked = list(_asked(study))
    number = len({one[:2] for one in asked})
    share = max(1, min(MOST, PAIRS // max(1, number)))
    found, first = [], dict.fromkeys((one[3] for one in asked), 0)
    for variant, baseline, role, prompts in asked:
        both = any(one[:2] == (variant, baseline) and one[2] != role for one in asked)
        count = _part(share, role) if both else share
        count = min(count, _drawn(study, role, prompts))
        if count:
            found.append(Contest(variant, baseline, role, prompts, first[prompts], count))
            first[prompts] += count
    return found


def choose_prompts(contest: Contest, prompts: Sequence[str]) -> list[str]:
    """Of a set's prompts those that a contest asks."""
    count = min(contest.number, len(prompts))
    places = range(contest.first, contest.first + count)
    return [prompts[place % len(prompts)] for place in places]


def drawn_blocks(study: Study, contest: Contest) -> list[str]:
    """The blocks of its set that are drawn whatever is decided."""
    return blocks(study, contest.prompts, _drawn(study, contest.role, contest.prompts))


def _drawn(study, role, prompts):
    """How many prompts: the first look's, or the first block's where no measure decides."""
    decides = any(m.decides and role in m.texts for m in study.measures.values())
    return looks(study, prompts)[0] if decides else cuts(study, prompts)[0]


def _asked(study) -> Iterator[tuple[str, str, str, str]]:
    seen: set[tuple[frozenset, str, str]] = set()
    for experiment, entry in study.experiments.items():
        for variant, baseline, _, family in compared(study, experiment):
            for role, prompts in entry.prompts.by_role().items():
                key = (frozenset((variant, baseline)), role, prompts)
                if family == "headline" and key not in seen:
                    seen.add(key)
                    yield variant, baseline, role, prompts


def _part(share, role):
    domain = max(1, round(share * DOMAIN))
    return domain if role == "domain" else share - domain
