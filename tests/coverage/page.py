"""The page docs/coverage.md, and the same as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.coverage.runner import BIAS, LEAST, MOST, PART, Report, Tally

HEAD = """# Do the intervals hold?

Every interval that the program prints says: in 95 of 100 measurements the truth lies within. This page is that claim
put to the test. For each number, emitters with a known truth are drawn by a random number generator, analysed by the
very functions that analyse a measurement, which are not told the truth, and compared with it.

It is written by `make coverage` ({trials} trials per case; more where they are cheap, fewer where dear) and by nothing
else. The settings of a case are dealt evenly. The seeds follow from the names of the cases, in parts of {part} trials:
whoever runs it again finds the same numbers. The cases are in `tests/coverage/cases/`.

| column | meaning |
| --- | --- |
| trials, answered | emitters drawn; those for which a number was given, not "cannot tell" |
| hold | share of answered whose 95 % interval holds the truth; must be {least:.0f} to {most:.0f} %; ± by chance |
| below, above | intervals wholly below, wholly above the truth: 2.5 % each where they are fair on both sides |
| open | intervals without an end on one side: they hold on that side, and say less |
| bias | mean of (value - truth) / standard deviation of the setting's values; within {bias} |

Counts are whole numbers, so no interval of few counts can hold exactly 95 % at every truth: settings with few pairs, or
a truth at the end of its range (g2(0) = 0), hold more often, others less. The promise is for the settings together; the
second table shows what it hides.

"""


def page(reports: Sequence[Report], broken: Mapping[str, str], trials: int) -> str:
    """The whole page."""
    good = sum(report.good for report in reports)
    text = HEAD.format(trials=trials, part=PART, least=100 * LEAST, most=100 * MOST, bias=BIAS)
    text += f"**{good} of {len(reports) + len(broken)} hold.**\n\n## Every interval\n\n"
    text += "| interval | settings | trials | answered | hold, % | below, % | above, % | open, % | bias | verdict |\n"
    text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    for report in reports:
        cells = [report.name, report.case.what, *numbers(report.whole), report.verdict]
        text += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    for name in broken:
        text += f"| {name} | could not be imported" + " | " * 8 + "FAILED TO DRAW |\n"
    text += "\n## Setting by setting\n\n"
    text += "| interval | setting | trials | answered | hold, % | below, % | above, % | open, % | bias |\n"
    text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    for report in reports:
        for setting, tally in report.settings.items():
            cells = [report.name, setting, *numbers(tally)]
            text += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    return text


def numbers(tally: Tally) -> list[str]:
    """trials, answered, hold, below, above, open, bias."""
    told = [str(tally.trials), str(tally.answered)]
    if not tally.answered:
        return [*told, *["-"] * 5]
    share = [f"{100 * each / tally.answered:.1f}" for each in (tally.low, tally.high, tally.endless)]
    bias = "-" if tally.bias is None else f"{tally.bias:+.3f} ± {tally.bias_error:.3f}"
    return [*told, f"{100 * tally.held:.1f} ± {100 * tally.held_error:.1f}", *share, bias]


def lines(reports: Sequence[Report], broken: Mapping[str, str], every: bool = False) -> list[str]:
    """The same for the terminal; with `every` also setting by setting."""
    told = [f"{'':52} {'trials':>7} {'answered':>8} {'hold %':>12} {'below':>6} {'above':>6} {'open':>6} {'bias':>15}"]
    for report in reports:
        told.append(_line(report.name, report.whole) + f"  {report.verdict}")
        if every or not report.good:
            told += [_line(f"    {setting}", tally) for setting, tally in report.settings.items()]
        if report.error:
            told += [f"    {line}" for line in report.error.splitlines()]
    for name, error in broken.items():
        told += [f"{name}: could not be imported", *(f"    {line}" for line in error.splitlines())]
    return told


def _line(name: str, tally: Tally) -> str:
    trials, answered, hold, low, high, endless, bias = numbers(tally)
    return f"{name:52} {trials:>7} {answered:>8} {hold:>12} {low:>6} {high:>6} {endless:>6} {bias:>15}"
