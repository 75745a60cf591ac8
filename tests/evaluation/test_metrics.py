"""What the report calls the measures of a study."""

from emaki.evaluation.measures import KIND
from emaki.evaluation.metrics import metrics_of


def titles(**measures):
    found = metrics_of({name: KIND.read(entry) for name, entry in measures.items()})
    return [metric.texts.title for metric in found.values()]


def test_of_two_with_one_title_the_one_that_decides_goes_without_a_name():
    kid = {"type": "kid", "decides": False}
    found = titles(likeness={"type": "likeness"}, kid=kid)
    assert found == ["Looks like the real pictures", "Looks like the real pictures (kid)"]


def test_two_that_decide_are_both_named():
    found = titles(likeness={"type": "likeness"}, kid={"type": "kid"})
    named = ("likeness", "kid")
    assert found == [f"Looks like the real pictures ({name})" for name in named]
