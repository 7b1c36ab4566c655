"""The time line of a run as inline SVG: faults and recovery above, copies that were owed below."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from lab.chaos.checker import Recovery, owed_over_time
from lab.chaos.history import History

WIDTH: Final = 1000
LABEL: Final = 150
"""Left of the axis, for the names of the lanes."""
RIGHT: Final = 10
LEGEND: Final = "Faults by time, and how many copies were owed"
LANE: Final = 22
CURVE: Final = 120
AXIS: Final = 24
NARROWEST: Final = 3.0
"""A fault that lasts an instant is seen all the same."""
TICKS: Final = 8
STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


def timeline(history: History, faults: Sequence[Recovery]) -> str:
    """The whole picture; scales with the page's width."""
    begun = min((said.at for said in history.said), default=0.0)
    seconds = max(
        [
            1.0,
            *(shown.at - begun for shown in history.shown),
            *(fault.at_s + (fault.lasted_s or 0.0) for fault in faults),
        ]
    )
    scale = (WIDTH - LABEL - RIGHT) / seconds
    lanes = _lanes(faults)
    top = len(lanes) * LANE + AXIS
    height = top + CURVE + AXIS
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{LEGEND}">',
        *_axis(seconds, scale, height, top),
    ]
    for row, (name, struck) in enumerate(lanes.items()):
        parts += _lane(row, name, struck, scale)
    parts += _curve(history, begun, scale, top)
    return "".join([*parts, "</svg>"])


def _lanes(faults: Sequence[Recovery]) -> dict[str, list[Recovery]]:
    lanes: defaultdict[str, list[Recovery]] = defaultdict(list)
    for fault in faults:
        lanes[fault.target].append(fault)
    return dict(sorted(lanes.items()))


def _lane(row: int, name: str, faults: Sequence[Recovery], scale: float) -> Iterator[str]:
    y = row * LANE
    yield f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
    yield f'<line class="grid" x1="{LABEL}" x2="{WIDTH}" y1="{y + LANE}" y2="{y + LANE}"/>'
    for fault in faults:
        x = LABEL + fault.at_s * scale
        lasted_s = fault.lasted_s or 0.0
        width = max(NARROWEST, lasted_s * scale)
        yield f"<g><title>{escape(_told(fault))}</title>"
        if fault.recovery_s:
            yield _bar("recovery", x + width, y, fault.recovery_s * scale)
        yield _bar("fault lost" if fault.recovery_s is None else "fault", x, y, width)
        yield f'<text class="kind" x="{x + 2:.1f}" y="{y + 15}">{escape(fault.kind)}</text></g>'


def _told(fault: Recovery) -> str:
    lasted = "never healed" if fault.lasted_s is None else f"{fault.lasted_s:.1f} s"
    back = "something lost" if fault.recovery_s is None else f"back in {fault.recovery_s:.1f} s"
    return ", ".join(filter(None, [fault.kind, fault.detail, lasted, back]))


def _bar(kind: str, x: float, y: float, width: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y + 4}" width="{width:.1f}" '
        f'height="{LANE - 7}" rx="2"/>'
    )


def _curve(history: History, begun: float, scale: float, top: int) -> Iterator[str]:
    """How many copies people waited for, as an area."""
    owed = owed_over_time(history)
    most = max((count for _, count in owed), default=0)
    yield (
        f'<text x="{LABEL - 8}" y="{top + 12}" text-anchor="end">owed, at most {most}</text>'
        f'<line class="grid" x1="{LABEL}" x2="{WIDTH}" y1="{top + CURVE}" y2="{top + CURVE}"/>'
    )
    if not most:
        return
    points = [f"{LABEL},{top + CURVE}"]
    column = -1
    highest = 0
    for at, count in owed:
        x = int(LABEL + (at - begun) * scale)
        highest = max(highest, count) if x == column else count
        if x == column:
            points.pop()
        column = x
        points.append(f"{x},{top + CURVE - highest / most * CURVE:.1f}")
    points.append(f"{column},{top + CURVE}")
    yield f'<polygon class="owed" points="{" ".join(points)}"/>'


def _axis(seconds: float, scale: float, height: int, top: int) -> Iterator[str]:
    step = next((step for step in STEPS_S if seconds / step <= TICKS), STEPS_S[-1])
    for at in range(0, int(seconds) + 1, step):
        x = LABEL + at * scale
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{top + CURVE}"/>'
        yield f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">{at} s</text>'
