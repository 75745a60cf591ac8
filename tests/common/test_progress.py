"""Bars as lines."""

from emaki.common.progress import bar, line


def test_a_bar_says_how_far_how_fast_and_how_long():
    text = line("train lora", 30, 120, "steps", 15.0)
    assert text.startswith("train lora ")
    assert text.endswith("█████░░░░░░░░░░░░░░░ 30/120 steps, 2.0/s, 0:45 left")


def test_nothing_to_do_and_more_than_expected_stay_in_bounds():
    assert line("x", 0, 0, "pictures", 0.0).count("░") == 20
    assert line("x", 7, 0, "pictures", 1.0).count("█") == 0
    assert line("x", 7, 5, "pictures", 1.0).count("█") == 20


def test_a_generator_passes_through_and_ends_with_a_line(capsys):
    assert list(bar(iter("abc"), total=3, unit="letters", label="spell")) == ["a", "b", "c"]
    assert "3/3 letters" in capsys.readouterr().err
