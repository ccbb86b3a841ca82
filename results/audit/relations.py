"""Relations between printed numbers, such as `[Table 3 / Training / forged] + ... = [Table 3 / Training / total]`.

A relation is an arithmetic comparison (=, <, <=, >, >=) of numbers and cells `[table / row / metric]`; before it may
stand definitions `name = expression;`. Each printed number stands for all values that print like it.
"""

import ast
import operator
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from common.errors import UserError

CELL = re.compile(r"\[([^\[\]]+)\]")
ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
COMPARISONS = {ast.Eq: "=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


@dataclass(frozen=True)
class Outcome:
    """holds: there are values that print like this and satisfy the relation.

    left, right: the least and the largest value of each side, Fractions. numbers: {cell: Printed}. plain: each
    side is a single cell.
    """

    holds: bool
    left: tuple
    right: tuple
    comparison: str
    numbers: dict
    plain: bool


def check_relation(text, look_up):
    """Return the Outcome of a relation. look_up(cell) gives its Printed. UserError for what is not a relation."""
    numbers, names = {}, {}

    def name_of(match):
        cell = match[1].strip()
        numbers.setdefault(cell, look_up(cell))
        return names.setdefault(cell, f"cell{len(names)}")

    *definitions, comparison = (part.strip() for part in CELL.sub(name_of, text).split(";"))
    defined = {}
    for definition in definitions:
        name, _, expression = definition.partition("=")
        defined[name.strip()] = _parse(expression, text).body
    tree = _parse(re.sub(r"(?<![<>=])=(?!=)", "==", comparison), text).body
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in COMPARISONS:
        raise _wrong(text)
    sides, sign = (tree.left, tree.comparators[0]), COMPARISONS[type(tree.ops[0])]
    corners = []
    ranges = [printed.range() for printed in numbers.values()]
    for values in product(*({one.low, one.high} for one in ranges)):
        known = dict(zip(names.values(), values, strict=True))
        try:
            corners.append(tuple(_evaluate(side, known, defined, text) for side in sides))
        except ZeroDivisionError:
            raise UserError(f"a relation divides by zero: {text}") from None
    left, right, difference = (
        [pick(corner) for corner in corners] for pick in (lambda c: c[0], lambda c: c[1], lambda c: c[0] - c[1])
    )
    low, high = min(difference), max(difference)
    holds = {"=": low <= 0 <= high, "<": low < 0, "<=": low <= 0, ">": high > 0, ">=": high >= 0}[sign]
    plain = all(isinstance(side, ast.Name) for side in sides)
    return Outcome(holds, (min(left), max(left)), (min(right), max(right)), sign, numbers, plain)


def agreeing_decimals(first, second):
    """The most decimals (of a percentage) to which two shares agree, each rounded or cut; None if to none."""
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
        raise _wrong(text) from None


def _evaluate(node, known, defined, text):
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.Name) and node.id in defined:
        return _evaluate(defined[node.id], known, {key: each for key, each in defined.items() if key != node.id}, text)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        sides = (_evaluate(side, known, defined, text) for side in (node.left, node.right))
        return ARITHMETIC[type(node.op)](*sides)
    raise _wrong(text)


def _wrong(text):
    return UserError(
        f"expected a relation of numbers and cells [table / row / metric] with + - * / and one of = < <= > >=; "
        f"got: {text}"
    )
