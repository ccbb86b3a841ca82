"""What the solver has to say about one group of statements or one relation, in words."""

from dataclasses import dataclass, replace
from fractions import Fraction

from common.evaluation.intervals import wilson
from results.audit.conflict import explain, odd_ones, one_class_sizes
from results.audit.forms import SHARES, words
from results.audit.printed import RULES
from results.audit.relations import agreeing_decimals, check_relation
from results.audit.solver import solve

CONTRADICTION, ROUNDING, HOLDS, READING = "contradiction", "rounding", "holds", "from reading"
UNIQUE, RANGE = "one matrix", "range"
FOLLOWS = ("accuracy", "balanced_accuracy", "kappa", "precision", "recall", "false_alarm_rate")
NOT = {"=": "\u2260", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
DECIMALS = ("without decimals", "to 1 decimal", "to 2 decimals", "to 3 decimals")
SHOWN = 3  # clashes that a report names
TELLING = 0.1  # a range below this width is worth a headline


@dataclass(frozen=True)
class Finding:
    """A line of audit.csv: `finding` in a few words, `detail` in full, `verdict` of CONTRADICTION ... READING."""

    paper: str
    finding: str
    table: str
    row: str
    detail: str
    verdict: str


def audit_group(paper, group):
    """Hold a group of statements against all confusion matrices; return the Finding."""

    def finding(text, detail, verdict):
        parts = [*detail, f"Basis: {group.source}." if group.source else ""]
        return Finding(paper, text, group.table, group.row, " ".join(filter(None, parts)), verdict)

    if len(group.statements) == 1 and group.sizes.n:
        return finding(*_single_share(group.about, group.statements[0], group.sizes.n))
    found = solve(group.statements, group.sizes)
    if not found.count and any(one.metric == "auc" for one in group.statements):
        group = replace(group, statements=[replace(one, ties=True) for one in group.statements])
        found = solve(group.statements, group.sizes)
    if not found.count:
        return finding(*_contradiction(group))
    if found.more:
        detail = ["Too little is printed to say more: class sizes or more decimals would tell."]
        return finding(f"{group.about}: more than {found.count:,} confusion matrices fit", detail, RANGE)
    by_rule = {rule: solve(group.statements, group.sizes, rule, within=found) for rule in RULES}
    detail = [_by_rule(by_rule) if found.count > 1 else "", _follows(found)]
    if not any(by_rule[rule].count for rule in RULES[:2]):
        return finding(f"{group.about}: {_odd(group, by_rule)}", [_solutions(found), *detail], ROUNDING)
    if found.count == 1:
        return finding(f"{group.about}: one confusion matrix fits, {_counts(found)}", detail, UNIQUE)
    if len(found.totals) == 1:
        return finding(f"{group.about}: {found.count:,} confusion matrices fit", [_solutions(found), *detail], RANGE)
    classes = ", equal classes" if (found.fakes == found.reals).all() else ""
    detail = [_totals(found), _cut_at_smallest(group, found), *detail]
    return finding(f"{group.about}: n = {_some(found.totals)}{classes}", detail, RANGE)


def audit_relation(paper, relation, table):
    """Check one relation between printed numbers; return the Finding."""
    outcome = check_relation(relation.statement, table.printed)
    first, *_ = outcome.numbers
    where, row = [part.strip() for part in first.split(" / ")][:2]
    sides = [_side(values) for values in (outcome.left, outcome.right)]
    printed = list(outcome.numbers.values())
    if outcome.plain:
        sides = [one.text for one in printed]
    says = f"{sides[0]} {outcome.comparison if outcome.holds else NOT[outcome.comparison]} {sides[1]}"
    detail = [f"{says}."]
    if outcome.plain and not outcome.holds and outcome.comparison == "=":
        decimals = agreeing_decimals(*(one.value for one in printed))
        if decimals is not None and not printed[0].exact:
            detail.append(f"In per cent they agree {DECIMALS[decimals]}, rounded or cut.")
    detail.append(f"Source: {relation.source}.")
    if outcome.holds:
        return Finding(paper, relation.finding, where, row, " ".join(detail), HOLDS)
    return Finding(paper, f"{relation.finding}: {says}", where, row, " ".join(detail[1:]), CONTRADICTION)


def _contradiction(group):
    conflict = explain(group.statements, group.sizes)
    clash, *others = conflict.clashes
    together, satisfies = "cannot hold together", "satisfies"
    if len(clash) == 1:
        clash, others = sum(conflict.clashes, ()), []
        together, satisfies = "cannot be true", "satisfies" if len(clash) == 1 else "satisfies any of"
    headline = f"{group.about}: {_list(clash)} {together}"
    detail = [f"No confusion matrix {_sizes(group.sizes)} {satisfies} {_list(clash)}."]
    if others:
        more = f", nor {len(others) - SHOWN + 1} more such sets" if len(others) >= SHOWN else ""
        detail.append(f"Nor {'; nor '.join(map(_list, others[: SHOWN - 1]))}{more}.")
    for reading, solutions in conflict.readings.items():
        headline += f"; all fits {reading}"
        detail.append(f"With {reading.removeprefix('with ')}: {_solutions(solutions)} {_follows(solutions)}")
    if conflict.rest is not None and conflict.rest.count and not conflict.readings:
        detail.append(f"Without {_list(conflict.left_out)} the rest fits: {_solutions(conflict.rest)}")
        then = [_then(conflict.rest, one) for one in conflict.left_out]
        if all(then):
            headline += f"; by the rest {then[0]}"
            detail.append(f"Then {', '.join(then)}.")
    return headline, detail, CONTRADICTION


def _then(rest, statement):
    """What the rest of the numbers makes of one that was left out; empty if it says little."""
    if statement.metric == "auc" or len(rest.totals) > 1:
        return ""
    low, high = rest.range(statement.metric)
    return f"{statement.label} is {_range(rest, statement.metric)}" if high - low < TELLING else ""


def _single_share(about, statement, n):
    """The finding about one share of n images: which counts print like it."""
    fits = {rule: _hits(statement, n, rule) for rule in (None, *RULES)}
    name, rounded = str(statement), sorted({*fits["half-up"], *fits["half-even"]})
    if not fits[None]:
        return f"{about}: {name} is no share of {n}", [f"No k / {n} prints {statement.printed.text}."], CONTRADICTION
    if not rounded:
        detail = f"Of {n}, {_some(fits[None])} gives it only if digits were cut; no k / {n} rounds to it."
        return f"{about}: {name} is no rounded share of {n}", [detail], ROUNDING
    steps = round(1 / statement.printed.unit)
    detail = [f"{_some(rounded)} of {n} {'prints' if len(rounded) == 1 else 'print'} it."]
    if len(rounded) == 1:
        low, high = wilson(rounded[0], n)
        detail.append(f"95 % Wilson interval {low:.4f} to {high:.4f}.")
        if steps > n:
            detail.append(f"A number of this many digits is a share of {n} by chance in {(n + 1) / (steps + 1):.1%}.")
        return f"{about}: {name} is {rounded[0]} / {n}", detail, UNIQUE
    return f"{about}: {name} is a share of {n}", detail, RANGE


def _hits(statement, n, rule):
    allowed = statement.printed.range(rule)
    first, last = int(allowed.low * n) - 1, int(allowed.high * n) + 1
    return [k for k in range(max(first, 0), min(last, n) + 1) if Fraction(k, n) in allowed]


def _solutions(solutions):
    if solutions.count == 1:
        return f"{_counts(solutions)}."
    if len(solutions.totals) > 1:
        return _totals(solutions)
    ranges = ", ".join(f"{words(name)} {_range(solutions, name)}" for name in ("tp", "fp", "fn", "tn"))
    return f"{solutions.count:,} matrices, {ranges}."


def _totals(solutions):
    totals = solutions.totals
    smallest = solutions.at(totals[0])
    unequal = (solutions.fakes + solutions.reals)[solutions.fakes != solutions.reals].min(initial=totals[-1] + 1)
    classes = ", all with equal classes" if unequal > totals[-1] else f", below n = {unequal} with equal classes"
    classes = "" if unequal == totals[0] else classes
    low, high = wilson(round(smallest.range("accuracy")[0] * totals[0]), int(totals[0]))
    return (
        f"{len(totals)} totals up to {totals[-1]} fit ({_some(totals, 12)}){classes}. The smallest, n = {totals[0]}: "
        f"{_solutions(smallest)} The 95 % interval of its accuracy is {low:.4f} to {high:.4f}."
    )


def _cut_at_smallest(group, solutions):
    """At the smallest n: which numbers were not rounded half-up there."""
    sizes = one_class_sizes(solutions.at(solutions.totals[0]))
    if sizes is None or solve(group.statements, sizes, RULES[0]).count:
        return ""
    return f"There {_list(odd_ones(group.statements, sizes))} was cut, not rounded."


def _follows(solutions):
    """What the matrices say that the paper may not: metrics, the majority baseline, Wilson's interval."""
    if len(solutions.totals) > 1:
        return ""
    follows = [f"{words(metric)} {_range(solutions, metric)}" for metric in FOLLOWS]
    n = int(solutions.totals[0])
    larger = max(solutions.range("fakes")[1], solutions.range("reals")[1])
    if solutions.range("fakes")[0] == solutions.range("fakes")[1]:
        follows.append(f"majority baseline {larger / n:.4f}")
    low, high = solutions.range("accuracy")
    interval = wilson(round(low * n), n)[0], wilson(round(high * n), n)[1]
    return f"It follows: {', '.join(follows)}; 95 % interval of the accuracy {interval[0]:.4f} to {interval[1]:.4f}."


def _by_rule(by_rule):
    return "By rounding rule: " + ", ".join(f"{rule} {found.count:,}" for rule, found in by_rule.items()) + "."


def _odd(group, by_rule):
    if by_rule["cut"].count:
        return "fits only if its digits were cut, not rounded"
    odd = odd_ones(group.statements, group.sizes)
    return f"no one rounding rule prints it; it fits if {_list(odd)} was cut, or a tie in it went the other way"


def _counts(solutions):
    return ", ".join(f"{words(name)} {count}" for name, count in solutions.matrix().items())


def _range(solutions, metric):
    low, high = solutions.range(metric)
    text = (lambda number: f"{number:.4f}") if metric in SHARES else (lambda number: f"{number:.0f}")
    return text(low) if text(low) == text(high) else f"{text(low)} to {text(high)}"


def _side(values):
    low, high = map(float, values)
    text = f"{low:.6g}" if low < 1000 or low % 1 else f"{low:.0f}"
    return text if low == high else f"{text} to {high:.6g}"


def _sizes(sizes):
    if sizes.known:
        return f"of {sizes.fakes} fake and {sizes.reals} real images"
    return f"of {sizes.n} images" if sizes.n else f"of up to {sizes.max_n} images"


def _list(statements):
    return " and ".join([", ".join(map(str, statements[:-1])), str(statements[-1])]).removeprefix(" and ")


def _some(numbers, most=6):
    words = ", ".join(map(str, numbers[:most]))
    return words + (", ..." if len(numbers) > most else "")
