"""What the audit finds about groups of printed numbers and relations between them: findings and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from common.evaluation.intervals import wilson
from results.audit.groups import Group
from results.audit.printed import BINARY, RULES
from results.audit.readings import class_averages, means
from results.audit.region import Region, find_regions
from results.audit.relations import Relation, agreeing_decimals, check_relation
from results.audit.rounding import is_plausible, not_half_up
from results.audit.solver import MAX_EXAMINED, solve
from results.audit.table import Table
from results.audit.unfit import Effort, explain_unfit
from results.audit.verdicts import CONTRADICTION, HOLDS, NO_SINGLE, RANGE, ROUNDING, UNIQUE
from results.audit.wording import (
    counts_text,
    first_few,
    implied_metrics,
    list_text,
    one_class_sizes,
    solutions_text,
    totals_text,
)

COARSE = Fraction(1, 100)  # a step of numbers that a matrix of cut ones may print by chance
CUT = "fits only if its digits were cut, not rounded"
NEGATED = {"=": "\u2260", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
DECIMALS = ("without decimals", "to 1 decimal", "to 2 decimals", "to 3 decimals")
READ, DETAILED = 25, 5  # groups of a table that fit no single matrix, for which readings, and details, are searched
MANY = 50  # groups of a table, from which on totals of images are not searched


@dataclass(frozen=True)
class Finding:
    """A line of audit.csv: `finding` in a few words, `detail` in full, and `verdict`, one of results.audit.verdicts."""

    paper: str
    finding: str
    table: str
    row: str
    detail: str
    verdict: str


@dataclass(frozen=True)
class Search:
    """How long to search for a group: rows of matrices, whether the table has many groups, and what to explain."""

    examined: int
    many: bool
    effort: Effort


def audit_groups(paper: str, groups: Sequence[Group]) -> list[Finding]:
    """Compare groups of statements with all confusion matrices, and with averages of several."""
    regions = find_regions([(group.statements, group.sizes) for group in groups])
    examined = MAX_EXAMINED // max(1, len(groups))
    findings, unfit = [], 0
    for group, region in zip(groups, regions, strict=True):
        search = Search(examined, len(groups) > MANY, Effort(unfit < READ, unfit < DETAILED))
        found = _audit(group, region, search)
        unfit += found[2] in (CONTRADICTION, NO_SINGLE, ROUNDING)
        if found[2] in (CONTRADICTION, NO_SINGLE) and group.percentages:
            found = _as_percentages(group, search) or found
        detail = " ".join(filter(None, [*found[1], f"Basis: {group.source}." if group.source else ""]))
        findings.append(Finding(paper, found[0], group.table, group.row, detail, found[2]))
    return findings


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


def _audit(group, region: Region | None, search: Search):
    """The finding of a group as headline, list of details, and verdict."""
    if group.of_means:
        return explain_unfit(group, search.effort)
    if len(group.statements) == 1 and group.sizes.n:
        return _single_share(group, search)
    if region is None:
        return explain_unfit(group, search.effort)
    if search.many and _any_size(group.sizes):
        detail = ["Which numbers of images fit was not searched, because the table has many rows without n."]
        return f"{group.title}: confusion matrices fit", detail, RANGE
    solutions = solve(group.statements, group.sizes, region=region, max_examined=search.examined)
    if not solutions.count and any(statement.metric == "auc" for statement in group.statements):
        group = replace(group, statements=[replace(statement, ties=True) for statement in group.statements])
        solutions = solve(group.statements, group.sizes, region=region, max_examined=search.examined)
    if solutions.more:
        detail = ["Too little is printed to say more: class sizes or more decimals would tell."]
        if not solutions.count:
            return f"{group.title}: not decided, too many confusion matrices to search them all", detail, RANGE
        return f"{group.title}: more than {solutions.count:,} confusion matrices fit", detail, RANGE
    if not solutions.count:
        return _no_small_matrix(group) if _any_size(group.sizes) else explain_unfit(group, search.effort)
    return _fitting(group, solutions, search)


def _fitting(group, solutions, search):
    statements, sizes = group.statements, group.sizes
    rules = RULES[:1] if search.many else RULES
    by_rule = {rule: solve(statements, sizes, rule, within=solutions) for rule in rules}
    if not by_rule[RULES[0]].count and search.many:
        by_rule = {rule: solve(statements, sizes, rule, within=solutions) for rule in RULES}
    detail = [_by_rule(by_rule) if solutions.count > 1 else "", implied_metrics(solutions)]
    if not any(by_rule[rule].count for rule in by_rule if rule != "cut"):
        rounded = solve(statements, sizes, BINARY, within=solutions)
        if rounded.count:
            return _one_or_range(group, rounded, ["Ties are rounded as programs do, by the nearest binary number."])
        if _any_size(sizes) and find_regions([(statements, sizes)], RULES[0])[0]:  # more images, and no digit is cut
            return _no_small_matrix(group)
        rounding = _rounding(group, solutions, by_rule)
        reading = _averages_instead(group, by_rule, search.effort)
        if reading or not is_plausible(statements, solutions):
            how = "" if reading else ", which is improbable"
            remark = rounding.replace("it; it fits", "a single matrix; one fits")
            remark = remark[0].upper() + remark[1:] if remark != CUT else f"A single matrix {CUT}"
            return explain_unfit(group, search.effort, f"{remark}{how}.", reading)
        return f"{group.title}: {rounding}", [solutions_text(solutions), *detail], ROUNDING
    return _one_or_range(group, solutions, detail)


def _one_or_range(group, solutions, detail):
    """The finding that matrices print the numbers."""
    if solutions.count == 1:
        return f"{group.title}: one confusion matrix fits, {counts_text(solutions)}", detail, UNIQUE
    if len(solutions.totals) == 1:
        headline = f"{group.title}: {solutions.count:,} confusion matrices fit"
        return headline, [solutions_text(solutions), *detail], RANGE
    classes = ", equal classes" if (solutions.fakes == solutions.reals).all() else ""
    detail = [totals_text(solutions), _cut_at_smallest(group, solutions), *detail]
    return f"{group.title}: n = {first_few(solutions.totals)}{classes}", detail, RANGE


def _averages_instead(group, by_rule, effort):
    """Averages whose numbers are all rounded, where a single matrix needs numbers that are cut."""
    if not group.averages or not effort.readings:
        return None
    statements, sizes = group.statements, group.sizes
    found = class_averages(statements, sizes, RULES[:2])
    finest = min(one.printed.unit for one in statements)
    if found or (by_rule["cut"].count and finest < COARSE):  # more digits are not all cut by chance
        return found
    return means(statements, sizes, group.fold_shares, effort.details, strict=True)


def _any_size(sizes):
    return sizes.n is None and not sizes.known


def _no_small_matrix(group):
    headline = f"{group.title}: confusion matrices of more than {group.sizes.max_n} images fit"
    detail = f"No matrix of up to {group.sizes.max_n} images prints the numbers, rounded, but larger ones can."
    return headline, [detail], RANGE


def _as_percentages(group, search):
    """The finding if the numbers up to 1 are percentages, like the others of their row; None if no matrix prints them.

    Averages of percentages below 1 fit almost anything, and would excuse a false number in a row of mixed units.
    """
    read = replace(group, statements=group.percentages, percentages=[])
    changed = [one for one, other in zip(group.statements, read.statements, strict=True) if one != other]
    region = find_regions([(read.statements, read.sizes)])[0]
    headline, detail, verdict = _audit(read, region, search)
    if verdict in (CONTRADICTION, NO_SINGLE):
        return None
    return headline, [f"Read as percentages: {list_text(changed)}.", *detail], verdict


def _single_share(group, search):
    """The finding about one share of n images: which counts print like it."""
    statement, n, title = group.statements[0], group.sizes.n, group.title
    fits = {rule: _counts_that_print(statement, n, rule) for rule in (None, *RULES)}
    name, rounded = str(statement), sorted({*fits["half-up"], *fits["half-even"]})
    if not fits[None]:
        return explain_unfit(group, search.effort, f"{name} is no share of {n}: no k / {n} prints it.")
    if not rounded:
        detail = f"Of {n}, {first_few(fits[None])} gives it only if digits were cut; no k / {n} rounds to it."
        return f"{title}: {name} is no rounded share of {n}", [detail], ROUNDING
    steps = round(1 / statement.printed.unit)
    detail = [f"{first_few(rounded)} of {n} {'prints' if len(rounded) == 1 else 'print'} it."]
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


def _cut_at_smallest(group, solutions):
    """Which numbers were not rounded half-up, if n is the smallest that fits."""
    smallest = solutions.of_total(solutions.totals[0])
    sizes = one_class_sizes(smallest)
    if sizes is None or solve(group.statements, sizes, RULES[0]).count:
        return ""
    return f"There {list_text(not_half_up(group.statements, sizes, smallest))} was cut, not rounded."


def _by_rule(by_rule):
    counts = ", ".join(f"{rule} {solutions.count:,}" for rule, solutions in by_rule.items())
    return f"By rounding rule: {counts}."


def _rounding(group, solutions, by_rule):
    if by_rule["cut"].count:
        return CUT
    exceptions = not_half_up(group.statements, group.sizes, solutions)
    return (
        f"no one rounding rule prints it; it fits if {list_text(exceptions)} was cut, or a tie in it went the other way"
    )


def _side(values):
    low, high = map(float, values)
    text = f"{low:.6g}" if low < 1000 or low % 1 else f"{low:.0f}"
    return text if low == high else f"{text} to {high:.6g}"
