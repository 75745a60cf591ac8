"""What an experiment is judged by: each measure on the prompts of each role that it judges."""

from collections.abc import Container, Mapping
from typing import NamedTuple

from emaki.evaluation.measures import ROLES, Measure, Texts


class Metric(NamedTuple):
    """A measure on the prompts of one role."""

    role: str
    measure_name: str
    measure: Measure
    texts: Texts

    @property
    def higher_is_better(self) -> bool:
        return self.measure.higher_is_better


def metrics_of(measures: Mapping[str, Measure]) -> dict[str, Metric]:
    """{"{role}_{name of the measure}": its Metric}, in the order of the report.

    `measures` are those of the config by name. Of two with one title the texts say which one it is,
    but for the only one of them that gives verdicts.
    """
    found = {}
    for role in ROLES:
        own = {name: one for name, one in measures.items() if role in one.texts}
        for name, measure in own.items():
            texts = measure.texts[role]
            alike = [one for one in own.values() if one.texts[role].title == texts.title]
            alone = measure.decides and sum(one.decides for one in alike) == 1
            if len(alike) > 1 and not alone:
                texts = _named(texts, role, name)
            found[f"{role}_{name}"] = Metric(role, name, measure, texts)
    return found


def judged_by(measures: Mapping[str, Measure], roles: Container[str]) -> dict[str, Metric]:
    """The metrics of `metrics_of` that judge prompts of one of these roles."""
    return {name: one for name, one in metrics_of(measures).items() if one.role in roles}


def deciding(measures: Mapping[str, Measure], roles: Container[str]) -> dict[str, Metric]:
    """Those of `judged_by` that give verdicts."""
    return {n: one for n, one in judged_by(measures, roles).items() if one.measure.decides}


def _named(texts: Texts, role: str, name: str) -> Texts:
    form = "{0} by {1}" if role == "domain" else "by {1} {0}"  # what goes on, and a whole clause
    return texts._replace(
        title=f"{texts.title} ({name})",
        short=f"{texts.short} ({name})",
        phrases={said: form.format(phrase, name) for said, phrase in texts.phrases.items()},
        subject=f"by {name} {texts.subject}",
    )
