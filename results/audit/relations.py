"""Relations between printed numbers, such as `[Table 3 / Training / forged] + ... = [Table 3 / Training / total]`.

A relation is an arithmetic comparison (=, <, <=, >, >=) of numbers and cells `[table / row / metric]`. Definitions
`name = expression;` may precede it. Each printed number stands for all values that print like it.
"""

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from common.errors import UserError
from results.audit.printed import Printed

CELL = re.compile(r"\[([^\[\]]+)\]")
ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
COMPARISONS = {ast.Eq: "=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


@dataclass(frozen=True)
class Relation:
    """A line of <paper>_relations.csv.

    Args:
        finding: what is checked, in a few words.
        kind: `matrix` if the statement lists numbers of one confusion matrix, otherwise `relation`.
        statement: the relation, or for a matrix see results.audit.table.
        source: where the paper, or its code, says so.
    """

    finding: str
    kind: str
    statement: str
    source: str


@dataclass(frozen=True)
class RelationCheck:
    """The result of checking a relation.

    Args:
        holds: whether there are values that print like this and satisfy the relation.
        left, right: the smallest and the largest value of each side.
        comparison: one of COMPARISONS.
        numbers: {cell: Printed}, in the relation's order.
        single_cells: whether each side is a single cell.
    """

    holds: bool
    left: tuple[Fraction, Fraction]
    right: tuple[Fraction, Fraction]
    comparison: str
    numbers: dict[str, Printed]
    single_cells: bool


def check_relation(text: str, printed_number: Callable[[str], Printed]) -> RelationCheck:
    """Check a relation.

    Args:
        text: the relation.
        printed_number: returns the printed number of a cell `table / row / metric`.

    Raises:
        UserError: if the text is not a relation, or it divides by zero.
    """
    numbers: dict[str, Printed] = {}
    names: dict[str, str] = {}

    def name_of(match):
        cell = match[1].strip()
        numbers.setdefault(cell, printed_number(cell))
        return names.setdefault(cell, f"cell{len(names)}")

    *definitions, comparison = (part.strip() for part in CELL.sub(name_of, text).split(";"))
    defined = {}
    for definition in definitions:
        name, _, expression = definition.partition("=")
        defined[name.strip()] = _parse(expression, text).body
    tree = _parse(re.sub(r"(?<![<>=])=(?!=)", "==", comparison), text).body
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in COMPARISONS:
        raise _not_a_relation(text)
    sides, sign = (tree.left, tree.comparators[0]), COMPARISONS[type(tree.ops[0])]
    corners = []
    ranges = [number.range() for number in numbers.values()]
    for ends in product(*({allowed.low, allowed.high} for allowed in ranges)):
        values = dict(zip(names.values(), ends, strict=True))
        try:
            corners.append(tuple(_evaluate(side, values, defined, text) for side in sides))
        except ZeroDivisionError:
            raise UserError(f"a relation divides by zero: {text}") from None
    left, right, difference = (
        [pick(corner) for corner in corners] for pick in (lambda c: c[0], lambda c: c[1], lambda c: c[0] - c[1])
    )
    low, high = min(difference), max(difference)
    holds = {"=": low <= 0 <= high, "<": low < 0, "<=": low <= 0, ">": high > 0, ">=": high >= 0}[sign]
    single_cells = all(isinstance(side, ast.Name) for side in sides)
    return RelationCheck(holds, (min(left), max(left)), (min(right), max(right)), sign, numbers, single_cells)


def agreeing_decimals(first: Fraction, second: Fraction) -> int | None:
    """The largest number of decimals (of a percentage) to which two shares agree, each rounded or cut; None if none."""
    for decimals in (3, 2, 1, 0):
        step = Fraction(1, 100 * 10**decimals)
        if {_half_up(first / step), first // step} & {_half_up(second / step), second // step}:
            return decimals
    return None


def _half_up(number):
    return (number + Fraction(1, 2)) // 1


def _parse(expression, text):
    try:
        return ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        raise _not_a_relation(text) from None


def _evaluate(node, values, defined, text):
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    if isinstance(node, ast.Name) and node.id in defined:
        others = {name: expression for name, expression in defined.items() if name != node.id}  # no recursion
        return _evaluate(defined[node.id], values, others, text)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        sides = (_evaluate(side, values, defined, text) for side in (node.left, node.right))
        return ARITHMETIC[type(node.op)](*sides)
    raise _not_a_relation(text)


def _not_a_relation(text):
    return UserError(
        f"expected a relation of numbers and cells [table / row / metric] with + - * / and one of = < <= > >=; "
        f"got: {text}"
    )
