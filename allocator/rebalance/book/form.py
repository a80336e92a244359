"""What the compiled programme looks like, once per shape: which variables are defined, paired, priced or free.

Found in the pattern of the conic form and in its constant numbers, never by name: a limit that is added to the
programme is carried along by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocator.rebalance.model import Model
from allocator.typing import FloatArray, IntArray


class Form(NamedTuple):
    """Pattern of  min ½x'Px + q'x,  A x = b, A x ≤ b, b − A x in a second-order cone.

    Attributes
    ----------
    start, column, entry
        A by rows: first entry of each row, and for each entry its column and its place among A's numbers by columns.
    curve
        Diagonal of P.
    equal, cone
        Number of equations (they come first), first row of the cone; it goes to the last.
    defined, by
        Variables that an equation defines, in an order in which each knows what it needs, and these equations.
    equations
        The other equations.
    base
        Variables that are neither defined nor excesses.
    single
        Rows with one entry, in a base variable.
    pairs
        k × 2: rows a'x ≤ b and −a'x ≤ b' over two base variables with coefficients of 1.
    general
        Every other inequality.
    excess
        Per row: the variable that is its excess at a price, −1 where it has none; and that variable's own row.
    excess_row
        Row that keeps that variable at 0 or above.
    weights, sells
        Columns of w and v.
    """

    start: IntArray
    column: IntArray
    entry: IntArray
    curve: FloatArray
    equal: int
    cone: int
    defined: IntArray
    by: IntArray
    equations: IntArray
    base: IntArray
    single: IntArray
    pairs: IntArray
    general: IntArray
    excess: IntArray
    excess_row: IntArray
    weights: IntArray
    sells: IntArray


def form_of(model: Model) -> Form | None:
    """Read the pattern of a compiled programme.

    Returns
    -------
    Form or None
        None where it is none that the fast route can take: more than one cone, a curve that is not diagonal or not
        constant.
    """
    import scipy.sparse as sp

    cone = model.cone
    a_map, (rows, indptr, (m, n)), split, _, _, p_map, p_pattern, _ = cone.maps
    if len(cone.soc) > 1 or p_map is None or p_pattern is None:
        return None
    last = a_map.shape[1] - 1
    constant = {
        int(k): float(a_map.data[a_map.indptr[k]])
        for k in range(split)
        if a_map.indptr[k + 1] - a_map.indptr[k] == 1 and a_map.indices[a_map.indptr[k]] == last
    }
    numbers = sp.csc_array((np.arange(1, split + 1), rows, indptr), shape=(m, n)).tocsr()
    numbers.sort_indices()
    start, column, entry = (np.asarray(x, dtype="int64") for x in (numbers.indptr, numbers.indices, numbers.data - 1))
    curve = np.zeros(n)
    columns = np.repeat(np.arange(n), np.diff(p_pattern[1]))
    if set(p_map.indices.tolist()) != {last} or not np.array_equal(columns, p_pattern[0]):
        return None
    curve[columns] = p_map.toarray()[:, last]
    pattern = _Pattern(start, column, entry, constant, cone.zero, cone.zero + cone.nonneg)
    defined, by = pattern.definitions()
    excess, excess_row = pattern.excesses(curve, set(defined))
    gone = set(defined) | set(excess[excess >= 0].tolist())
    base = np.array([c for c in range(n) if c not in gone], dtype="int64")
    single, pairs, general = pattern.kinds(set(base.tolist()), set(excess_row[excess_row >= 0].tolist()))
    equations = np.array([r for r in range(cone.zero) if r not in set(by)], dtype="int64")
    return Form(
        start, column, entry, curve, cone.zero, pattern.cone, np.array(defined, dtype="int64"),
        np.array(by, dtype="int64"), equations, base, single, pairs, general, excess, excess_row,
        np.arange(n)[model.places("w")].astype("int64"), np.arange(n)[model.places("v")].astype("int64"),
    )  # fmt: skip


class _Pattern(NamedTuple):
    start: IntArray
    column: IntArray
    entry: IntArray
    constant: dict[int, float]
    equal: int
    cone: int

    def of(self, r: int) -> range:
        return range(int(self.start[r]), int(self.start[r + 1]))

    def definitions(self) -> tuple[list[int], list[int]]:
        """Equations that define a variable which no other equation knows, its coefficient a constant."""
        seen = np.bincount(self.column[: self.start[self.equal]], minlength=int(self.column.max()) + 1)
        todo: dict[int, int] = {}
        for r in range(self.equal):
            fit = [int(self.column[k]) for k in self.of(r) if int(self.entry[k]) in self.constant]
            fit = [c for c in fit if seen[c] == 1]
            if len(fit) == 1:
                todo[fit[0]] = r
        order: list[int] = []
        by: list[int] = []
        while todo:
            waiting = {c: {int(self.column[k]) for k in self.of(r)} - {c} for c, r in todo.items()}
            ready = [c for c, needs in waiting.items() if not needs & todo.keys()]
            if not ready:
                break
            order += ready
            by += [todo.pop(c) for c in ready]
        return order, by

    def excesses(self, curve: FloatArray, defined: set[int]) -> tuple[IntArray, IntArray]:
        """Variables of 0 or above that ease one inequality by themselves, and occur nowhere else."""
        rows: dict[int, list[tuple[int, int]]] = {}
        for r in range(len(self.start) - 1):
            for k in self.of(r):
                rows.setdefault(int(self.column[k]), []).append((r, int(self.entry[k])))
        excess = np.full(len(self.start) - 1, -1, dtype="int64")
        own = excess.copy()
        for c, places in rows.items():
            if curve[c] != 0 or c in defined or len(places) != 2:
                continue
            if any(not self.equal <= r < self.cone or e not in self.constant for r, e in places):
                continue
            singles = [r for r, _ in places if len(self.of(r)) == 1]
            others = [r for r, _ in places if len(self.of(r)) > 1]
            # numbers are of A x + b in the cone: +1 eases a row, and keeps a variable above 0
            if len(singles) == 1 and len(others) == 1 and all(self.constant[e] == 1.0 for _, e in places):
                excess[others[0]], own[others[0]] = c, singles[0]
        return excess, own

    def kinds(self, base: set[int], taken: set[int]) -> tuple[IntArray, IntArray, IntArray]:
        """Rows by kind: one base variable, pairs over two, the rest."""
        single: list[int] = []
        general: list[int] = []
        pairs: list[tuple[int, int]] = []
        waiting: dict[tuple[int, int, float], int] = {}
        for r in range(self.equal, self.cone):
            cols = [int(self.column[k]) for k in self.of(r)]
            if r in taken or not cols:
                continue
            if len(cols) == 1 and cols[0] in base:
                single.append(r)
                continue
            signs = [self.constant.get(int(self.entry[k]), 0.0) for k in self.of(r)]
            if len(cols) == 2 and set(cols) <= base and signs[0] == signs[1] and abs(signs[0]) == 1.0:
                other = waiting.pop((cols[0], cols[1], -signs[0]), None)
                if other is None:
                    waiting[(cols[0], cols[1], signs[0])] = r
                else:
                    pairs.append((r, other) if signs[0] < 0 else (other, r))
                continue
            general.append(r)
        general += waiting.values()
        shape = np.array(pairs, dtype="int64").reshape(-1, 2)
        return np.array(single, dtype="int64"), shape, np.array(sorted(general), dtype="int64")
