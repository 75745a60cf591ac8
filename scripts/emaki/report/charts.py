"""Charts as SVG inside the page: their letters are text, their colours follow the page's.

Classes, not colours, are written here; style.css says what they look like by day and by night.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from emaki.evaluation.words import BETTER, SAME, UNDECIDED, WORSE

WIDTH, HEIGHT = 300, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 34
FOREST_WIDTH, FOREST_HEIGHT = 220, 20
# What can be said of a comparison, and its class in the page's style. By a measure that is not fit
# to judge nothing is said.
NO_VERDICT = "no verdict"
CLASSES = {
    BETTER: "better",
    WORSE: "worse",
    SAME: "same",
    "mixed": "mixed",
    UNDECIDED: "undecided",
    NO_VERDICT: "none",
}


def colour_class(number: int) -> str:
    """The classes of the colour of a run: after six they come again, with dashes."""
    return f"c{number % 6}" + (" again" if number >= 6 else "")


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: `digits` significant digits at least, thin spaces, a true minus."""
    if value is None:
        return "∞"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return _typeset(f"{value:,.{min(places, 6)}f}")


def duration(seconds: float) -> str:
    """Seconds as one says them: "0.8 s", "42 s", "12 min 5 s", "3 h 20 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def difference(metric: Mapping[str, Any]) -> str:
    """The difference of a metric, with as many decimals as its interval."""
    return _signed(metric["difference"], _decimals(metric))


def of_trainings(metric: Mapping[str, Any]) -> str:
    """The difference of each of a recipe's trainings, with as many decimals as its interval."""
    places = _decimals(metric)
    return ", ".join(_signed(each["difference"], places) for each in metric["by_training"])


def cost(step: Mapping[str, Any]) -> str:
    """What a damage changes, with as many decimals as its standard error needs."""
    error = step["error"] or abs(step["difference"]) or 1.0
    return _signed(step["difference"], max(0, 1 - math.floor(math.log10(error))))


def interval(metric: Mapping[str, Any]) -> str:
    """The interval of a metric in words."""
    if metric["low"] is None:
        return "too few prompts"
    places = _decimals(metric)
    return f"{_signed(metric['low'], places)} to {_signed(metric['high'], places)}"


def _decimals(metric):
    """Decimals that show the smallest of a metric's three numbers with two digits, as far as the
    largest is not shown with more than four."""
    values = [metric[key] for key in ("difference", "low", "high")]
    places = [-math.floor(math.log10(abs(value))) for value in values if value]
    return max(0, min(max(places) + 1, min(places) + 3)) if places else 0


def _signed(value, places):
    """A number with a plus or a minus and so many decimals, or more where it would show as zero."""
    if not value:
        return "0"
    places = max(places, -math.floor(math.log10(abs(value))))
    return _typeset(f"{value:+,.{places}f}")


def _typeset(text):
    return text.replace(",", "\u202f").replace("-", "\u2212")


def forest(metric: Mapping[str, Any], limit: float, higher_is_better: bool) -> Markup:
    """A difference and its interval as a dot on a line; right of the middle is better.

    `metric` has difference, low, high (None: unbounded), prompts, verdict and margin, which is a
    band, and of a recipe `by_training`, a small dot each; `limit` is the distance from the middle
    to either end, in the metric's unit.
    """
    sign = 1 if higher_is_better else -1

    def place(value):
        share = max(-1.0, min(1.0, sign * value / limit)) if limit else 0.0
        return FOREST_WIDTH / 2 * (1 + 0.94 * share)

    ends = [
        place(bound) if bound is not None else place(side * math.inf if limit else 0)
        for bound, side in ((metric["low"], -1), (metric["high"], 1))
    ]
    middle, dot = FOREST_HEIGHT / 2, place(metric["difference"])
    verdict = metric["verdict"] or NO_VERDICT
    about = f"{verdict}: {difference(metric)} ({interval(metric)})"
    band = place(metric["margin"] or 0) - place(-(metric["margin"] or 0))
    dots = "".join(
        f'<circle class="training" cx="{place(training["difference"]):.1f}" cy="{middle:g}" r="2"/>'
        for training in metric.get("by_training", [])
    )
    return Markup(  # noqa: S704 - numbers, and texts that are escaped
        f'<svg class="forest {CLASSES[verdict]}" viewBox="0 0 {FOREST_WIDTH} {FOREST_HEIGHT}"'
        ' role="img">'
        f"<title>{about}</title>"
        f'<rect class="margin" x="{(FOREST_WIDTH - abs(band)) / 2:.1f}" y="0"'
        f' width="{abs(band):.1f}" height="{FOREST_HEIGHT}"/>'
        f'<line class="zero" x1="{FOREST_WIDTH / 2:g}" x2="{FOREST_WIDTH / 2:g}" y1="0"'
        f' y2="{FOREST_HEIGHT}"/>'
        f'<line class="range" x1="{min(ends):.1f}" x2="{max(ends):.1f}" y1="{middle:g}"'
        f' y2="{middle:g}"/>'
        f'<circle cx="{dot:.1f}" cy="{middle:g}" r="4.5"/>{dots}</svg>'
    )


def lines(
    series: Sequence[dict[str, Any]],
    x_label: str,
    better: str | None = None,
    zero: str | None = None,
    caption: str = "",
) -> Markup:
    """A chart of lines.

    `series` is a list of {"colour" (0..5), "style" ("line", "faint" or "dots"), "points":
    [(x, y, low, high)]}, the last two None without an interval. `better` ("up" or "down") tints
    that side of zero; `zero` names the line at zero. `caption` is what a screen reader says.
    """
    points = [point for one in series for point in one["points"]]
    xs = [point[0] for point in points]
    ys = [value for point in points for value in point[1:] if value is not None]
    ys += [0.0] if zero else []
    x_of = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    y_ticks = ticks(min(ys), max(ys), 5)
    low, high = min(y_ticks[0], min(ys)), max(y_ticks[-1], max(ys))
    y_of = _scale(low, high, HEIGHT - BOTTOM, TOP)
    drawn = [
        *_ground(y_of, better),
        *_axes(x_of, y_of, _x_ticks(xs), y_ticks, x_label),
        *(shape for one in series for shape in _series(one, x_of, y_of)),
        *(_zero(y_of, zero) if zero else []),
    ]
    return Markup(  # noqa: S704 - numbers, and texts that are escaped
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(caption)}</title>{''.join(drawn)}</svg>"
    )


def front(
    points: Sequence[dict[str, Any]],
    x_label: str,
    origin: str,
    margin: float,
    caption: str,
) -> Markup:
    """What models gain (upwards) against what they keep (to the right), the baseline at zero.

    `points` are {"x", "y": (value, low, high), positive where it is better, the last two None
    without an interval; "colour" (0..5), "label", "short" (beside the dot), "front", "taken"}; of
    what is taken the intervals are drawn. `origin` is the name of the baseline; gains with losses
    within `margin` are tinted.
    """
    ends = [[0.0, *(p[axis][0] for p in points)] for axis in ("x", "y")]
    for axis, values in zip(("x", "y"), ends):
        values += [v for p in points if p["taken"] for v in p[axis][1:] if v is not None]
    x_ticks, y_ticks = (ticks(min(values), max(values), 5) for values in ends)
    x_of = _scale(x_ticks[0], x_ticks[-1], LEFT, WIDTH - RIGHT)
    y_of = _scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    kept = max(x_of(-margin), LEFT)
    shapes = [
        f'<rect class="good" x="{kept:.1f}" y="{TOP}" width="{WIDTH - RIGHT - kept:.1f}"'
        f' height="{max(0, y_of(0) - TOP):.1f}"/>',
        *_axes(x_of, y_of, x_ticks, y_ticks, f"{x_label} →"),
        _line("zero", x_of(0), TOP, x_of(0), HEIGHT - BOTTOM),
        *_zero(y_of, ""),
        *_beside("", x_of(0), y_of(0), origin),
        f'<path class="base" d="M{x_of(0) - 4:.1f},{y_of(0):.1f}h8m-4,-4v8"/>',
    ]
    for point in sorted(points, key=lambda one: (one["taken"], one["front"])):
        shapes += _dot(point, x_of, y_of)
    return Markup(  # noqa: S704 - numbers, and texts that are escaped
        f'<svg class="chart scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(caption)}</title>{''.join(shapes)}</svg>"
    )


def _dot(point, x_of, y_of):
    """A model of `front`, with a ring and its intervals where it is taken."""
    (x, *x_range), (y, *y_range) = point["x"], point["y"]
    kind = " ".join(name for name in ("front", "taken") if point[name])
    classes = f"dot-of {colour_class(point['colour'])} {kind}"
    yield f'<g class="{classes}"><title>{escape(point["label"])}</title>'
    if point["taken"] and None not in (*x_range, *y_range):
        yield _line("range", x_of(x_range[0]), y_of(y), x_of(x_range[1]), y_of(y))
        yield _line("range", x_of(x), y_of(y_range[0]), x_of(x), y_of(y_range[1]))
    if point["taken"]:
        yield f'<circle class="ring" cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="7.5"/>'
    yield f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3.6"/>'
    if point["front"] or point["taken"]:
        yield from _beside("", x_of(x), y_of(y), point["short"])
    yield "</g>"


def _beside(name, x, y, text):
    """A text on that side of a point that has room."""
    near = x > WIDTH - RIGHT - 60
    yield _text(name, x - 9 if near else x + 9, y - 6, "end" if near else "start", text)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, about `most` of them."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / max(most - 1, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def _x_ticks(xs):
    distinct = sorted(set(xs))
    if len(distinct) <= 6:
        return distinct
    return [tick for tick in ticks(distinct[0], distinct[-1], 5) if tick <= distinct[-1]]


def _scale(low, high, start, end):
    span = high - low or 1.0
    middle = 0.5 if high == low else 0.0
    return lambda value: start + (end - start) * ((value - low) / span + middle)


def _ground(y_of, better):
    if better is None:
        return []
    bottom, zero = HEIGHT - BOTTOM, y_of(0)
    top, height = (TOP, zero - TOP) if better == "up" else (zero, bottom - zero)
    if height < 1:
        return []
    return [
        f'<rect class="good" x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - RIGHT}"'
        f' height="{height:.1f}"/>'
    ]


def _axes(x_of, y_of, x_ticks, y_ticks, x_label):
    bottom = HEIGHT - BOTTOM
    for tick in y_ticks:
        y = y_of(tick)
        yield _line("rule", LEFT, y, WIDTH - RIGHT, y)
        yield _text("", LEFT - 6, y + 4, "end", number(tick, _digits(tick, y_ticks)))
    for tick in x_ticks:
        x = x_of(tick)
        yield _line("tick", x, bottom, x, bottom + 4)
        yield _text("", x, bottom + 16, "middle", _typeset(f"{tick:,g}"))
    yield _text("label", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "middle", x_label)


def _digits(tick, every):
    """Significant digits that tell a tick from its neighbours."""
    step = every[1] - every[0]
    if not tick:
        return 1
    coarse = math.floor(math.log10(abs(tick))) - math.floor(math.log10(step)) + 1
    return max(1, coarse + (step / 10 ** math.floor(math.log10(step)) % 1 > 1e-6))


def _zero(y_of, name):
    y = y_of(0)
    yield _line("zero", LEFT, y, WIDTH - RIGHT, y)
    yield _text("zero", WIDTH - RIGHT - 4, y - 5, "end", name)


def _series(one, x_of, y_of):
    yield f'<g class="series {colour_class(one["colour"])} {one["style"]}">'
    for x, _, low, high in one["points"]:
        if low is not None and low != high:
            yield _line("range", x_of(x), y_of(low), x_of(x), y_of(high))
    points = [(x_of(x), y_of(y)) for x, y, *_ in one["points"]]
    yield f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    if one["style"] == "dots":
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>' for x, y in points)
    yield "</g>"


def _line(name, x1, y1, x2, y2):
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(name, x, y, anchor, text):
    text = escape(str(text))
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
