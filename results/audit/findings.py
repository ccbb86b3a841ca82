"""What the solver finds about one group of statements or one relation, in words."""

from dataclasses import dataclass, replace
from fractions import Fraction

from common.evaluation.intervals import wilson
from results.audit.conflict import explain, not_half_up, one_class_sizes
from results.audit.forms import SHARES, metric_text
from results.audit.printed import RULES
from results.audit.relations import Relation, agreeing_decimals, check_relation
from results.audit.solver import solve
from results.audit.table import Group, Table

CONTRADICTION, ROUNDING, HOLDS, READING = "contradiction", "rounding", "holds", "from reading"
UNIQUE, RANGE = "one matrix", "range"
IMPLIED = ("accuracy", "balanced_accuracy", "kappa", "precision", "recall", "false_alarm_rate")
NEGATED = {"=": "\u2260", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
DECIMALS = ("without decimals", "to 1 decimal", "to 2 decimals", "to 3 decimals")
MAX_CLASHES = 3  # that a finding names
NARROW_RANGE = 0.1  # the width below which a range is worth a headline


@dataclass(frozen=True)
class Finding:
    """A line of audit.csv: `finding` in a few words, `detail` in full, and `verdict`: CONTRADICTION, ..., RANGE."""

    paper: str
    finding: str
    table: str
    row: str
    detail: str
    verdict: str


def audit_group(paper: str, group: Group) -> Finding:
    """Compare a group of statements with all confusion matrices."""

    def finding(text, detail, verdict):
        parts = [*detail, f"Basis: {group.source}." if group.source else ""]
        return Finding(paper, text, group.table, group.row, " ".join(filter(None, parts)), verdict)

    if len(group.statements) == 1 and group.sizes.n:
        return finding(*_single_share(group.title, group.statements[0], group.sizes.n))
    solutions = solve(group.statements, group.sizes)
    if not solutions.count and any(statement.metric == "auc" for statement in group.statements):
        group = replace(group, statements=[replace(statement, ties=True) for statement in group.statements])
        solutions = solve(group.statements, group.sizes)
    if not solutions.count:
        return finding(*_contradiction(group))
    if solutions.more:
        detail = ["Too little is printed to say more: class sizes or more decimals would tell."]
        return finding(f"{group.title}: more than {solutions.count:,} confusion matrices fit", detail, RANGE)
    by_rule = {rule: solve(group.statements, group.sizes, rule, within=solutions) for rule in RULES}
    detail = [_by_rule(by_rule) if solutions.count > 1 else "", _implied_metrics(solutions)]
    if not any(by_rule[rule].count for rule in RULES[:2]):
        return finding(f"{group.title}: {_rounding(group, by_rule)}", [_solutions(solutions), *detail], ROUNDING)
    if solutions.count == 1:
        return finding(f"{group.title}: one confusion matrix fits, {_counts(solutions)}", detail, UNIQUE)
    if len(solutions.totals) == 1:
        headline = f"{group.title}: {solutions.count:,} confusion matrices fit"
        return finding(headline, [_solutions(solutions), *detail], RANGE)
    classes = ", equal classes" if (solutions.fakes == solutions.reals).all() else ""
    detail = [_totals(solutions), _cut_at_smallest(group, solutions), *detail]
    return finding(f"{group.title}: n = {_first_few(solutions.totals)}{classes}", detail, RANGE)


def audit_relation(paper: str, relation: Relation, table: Table) -> Finding:
    """Check one relation between printed numbers of a table."""
    check = check_relation(relation.statement, table.printed)
    first, *_ = check.numbers
    table_name, row = [part.strip() for part in first.split(" / ")][:2]
    sides = [_side(values) for values in (check.left, check.right)]
    printed = list(check.numbers.values())
    if check.single_cells:
        sides = [number.text for number in printed]
    statement = f"{sides[0]} {check.comparison if check.holds else NEGATED[check.comparison]} {sides[1]}"
    detail = [f"{statement}."]
    if check.single_cells and not check.holds and check.comparison == "=":
        decimals = agreeing_decimals(*(number.value for number in printed))
        if decimals is not None and not printed[0].exact:
            detail.append(f"In per cent they agree {DECIMALS[decimals]}, rounded or cut.")
    detail.append(f"Source: {relation.source}.")
    if check.holds:
        return Finding(paper, relation.finding, table_name, row, " ".join(detail), HOLDS)
    return Finding(paper, f"{relation.finding}: {statement}", table_name, row, " ".join(detail[1:]), CONTRADICTION)


def _contradiction(group):
    conflict = explain(group.statements, group.sizes)
    clash, *others = conflict.clashes
    together, satisfies = "cannot hold together", "satisfies"
    if len(clash) == 1:
        clash, others = sum(conflict.clashes, ()), []
        together, satisfies = "cannot be true", "satisfies" if len(clash) == 1 else "satisfies any of"
    headline = f"{group.title}: {_list(clash)} {together}"
    detail = [f"No confusion matrix {_sizes(group.sizes)} {satisfies} {_list(clash)}."]
    if others:
        more = f", nor {len(others) - MAX_CLASHES + 1} more such sets" if len(others) >= MAX_CLASHES else ""
        detail.append(f"Nor {'; nor '.join(map(_list, others[: MAX_CLASHES - 1]))}{more}.")
    for reading, solutions in conflict.readings.items():
        headline += f"; all fits {reading}"
        detail.append(f"With {reading.removeprefix('with ')}: {_solutions(solutions)} {_implied_metrics(solutions)}")
    if conflict.rest is not None and conflict.rest.count and not conflict.readings:
        detail.append(f"Without {_list(conflict.left_out)} the rest fits: {_solutions(conflict.rest)}")
        implied = [_implied_value(conflict.rest, statement) for statement in conflict.left_out]
        if all(implied):
            headline += f"; by the rest {implied[0]}"
            detail.append(f"Then {', '.join(implied)}.")
    return headline, detail, CONTRADICTION


def _implied_value(rest, statement):
    """The value that the solutions of the other numbers imply for one that was left out; empty if it says little."""
    if statement.metric == "auc" or len(rest.totals) > 1:
        return ""
    low, high = rest.range(statement.metric)
    return f"{statement.label} is {_range(rest, statement.metric)}" if high - low < NARROW_RANGE else ""


def _single_share(title, statement, n):
    """The finding about one share of n images: which counts print like it."""
    fits = {rule: _counts_that_print(statement, n, rule) for rule in (None, *RULES)}
    name, rounded = str(statement), sorted({*fits["half-up"], *fits["half-even"]})
    if not fits[None]:
        return f"{title}: {name} is no share of {n}", [f"No k / {n} prints {statement.printed.text}."], CONTRADICTION
    if not rounded:
        detail = f"Of {n}, {_first_few(fits[None])} gives it only if digits were cut; no k / {n} rounds to it."
        return f"{title}: {name} is no rounded share of {n}", [detail], ROUNDING
    steps = round(1 / statement.printed.unit)
    detail = [f"{_first_few(rounded)} of {n} {'prints' if len(rounded) == 1 else 'print'} it."]
    if len(rounded) == 1:
        low, high = wilson(rounded[0], n)
        detail.append(f"95 % Wilson interval {low:.4f} to {high:.4f}.")
        if steps > n:
            detail.append(f"A number of this many digits is a share of {n} by chance in {(n + 1) / (steps + 1):.1%}.")
        return f"{title}: {name} is {rounded[0]} / {n}", detail, UNIQUE
    return f"{title}: {name} is a share of {n}", detail, RANGE


def _counts_that_print(statement, n, rule):
    allowed = statement.printed.range(rule)
    first, last = int(allowed.low * n) - 1, int(allowed.high * n) + 1
    return [k for k in range(max(first, 0), min(last, n) + 1) if Fraction(k, n) in allowed]


def _solutions(solutions):
    if solutions.count == 1:
        return f"{_counts(solutions)}."
    if len(solutions.totals) > 1:
        return _totals(solutions)
    ranges = ", ".join(f"{metric_text(name)} {_range(solutions, name)}" for name in ("tp", "fp", "fn", "tn"))
    return f"{solutions.count:,} matrices, {ranges}."


def _totals(solutions):
    totals = solutions.totals
    smallest = solutions.of_total(totals[0])
    unequal = (solutions.fakes + solutions.reals)[solutions.fakes != solutions.reals].min(initial=totals[-1] + 1)
    classes = ", all with equal classes" if unequal > totals[-1] else f", below n = {unequal} with equal classes"
    classes = "" if unequal == totals[0] else classes
    low, high = wilson(round(smallest.range("accuracy")[0] * totals[0]), int(totals[0]))
    return (
        f"{len(totals)} totals up to {totals[-1]} fit ({_first_few(totals, 12)}){classes}. "
        f"The smallest, n = {totals[0]}: {_solutions(smallest)} "
        f"The 95 % interval of its accuracy is {low:.4f} to {high:.4f}."
    )


def _cut_at_smallest(group, solutions):
    """Which numbers were not rounded half-up, if n is the smallest that fits."""
    sizes = one_class_sizes(solutions.of_total(solutions.totals[0]))
    if sizes is None or solve(group.statements, sizes, RULES[0]).count:
        return ""
    return f"There {_list(not_half_up(group.statements, sizes))} was cut, not rounded."


def _implied_metrics(solutions):
    """What the matrices say, also if the paper does not: metrics, the majority baseline, Wilson's interval."""
    if len(solutions.totals) > 1:
        return ""
    implied = [f"{metric_text(metric)} {_range(solutions, metric)}" for metric in IMPLIED]
    n = int(solutions.totals[0])
    larger = max(solutions.range("fakes")[1], solutions.range("reals")[1])
    if solutions.range("fakes")[0] == solutions.range("fakes")[1]:
        implied.append(f"majority baseline {larger / n:.4f}")
    low, high = solutions.range("accuracy")
    interval = wilson(round(low * n), n)[0], wilson(round(high * n), n)[1]
    return f"It follows: {', '.join(implied)}; 95 % interval of the accuracy {interval[0]:.4f} to {interval[1]:.4f}."


def _by_rule(by_rule):
    counts = ", ".join(f"{rule} {solutions.count:,}" for rule, solutions in by_rule.items())
    return f"By rounding rule: {counts}."


def _rounding(group, by_rule):
    if by_rule["cut"].count:
        return "fits only if its digits were cut, not rounded"
    exceptions = not_half_up(group.statements, group.sizes)
    return f"no one rounding rule prints it; it fits if {_list(exceptions)} was cut, or a tie in it went the other way"


def _counts(solutions):
    return ", ".join(f"{metric_text(name)} {count}" for name, count in solutions.first_matrix().items())


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


def _first_few(numbers, most=6):
    return ", ".join(map(str, numbers[:most])) + (", ..." if len(numbers) > most else "")
