"""One row of checks at a time, on explicit vectors: two functions for compiled code.

Numba's own vectoriser does not see through the rotated columns of a
quasi-cyclic code. So these loops are written as LLVM instructions, unrolled
for each degree of check, one run over the z checks of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from semlink.phy.ldpc.check_rules import EXACT_DEGREE, BoxPlus, Offset
from semlink.phy.ldpc.simd_lanes import BIT, LANES, SIZE, AnyLanes

# Edges of a check in either base graph, columns of fillers left out. Base graph 1
# has others where it is filled to less than nine tenths, in blocks that 38.212
# leaves to base graph 2.
DEGREES = frozenset((*range(2, 11), 17, 18, 19))


@intrinsic
def update_row(typing, sources, rule, total, message, floor, edges, first, degree, floor_start, z):
    """One layer: renew `total` and `message` over edges `first` to `first + degree`.

    `message` is (edge, stride); `edges` int64 (edge, 3): where in `total` a
    column is read, where it is written, and how much of it is then repeated
    behind its end for the next reader. What the first edge brings is raised to
    `floor` from `floor_start` on, which holds known zeros at their value.
    `sources` is of no use here; see `layered_kernel`.
    """
    signature = types.void(sources, rule, total, message, floor, edges, *[types.intp] * 4)

    def generate(context, builder, sig, args):
        lanes = LANES[sig.args[2].dtype](builder)
        arrays = [context.make_array(k)(context, builder, v) for k, v in zip(sig.args[2:6], args[2:6])]
        first, degree, floor_start, z = args[6:]
        stride = builder.extract_value(arrays[1].shape, 1)
        messages = builder.gep(arrays[1].data, [builder.mul(first, stride)])
        floors = builder.gep(arrays[2].data, [floor_start])
        table = builder.gep(arrays[3].data, [builder.mul(first, _size(3))])
        for edge_count in _each_degree(builder, degree):
            row = _Row.load(builder, arrays[0].data, messages, stride, table, edge_count)
            _emit_update(builder, lanes, sig.args[1].instance_class, row, floors, z)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def row_is_odd(typing, total, places, first, degree, z):
    """Whether any of the `z` checks of a row fails: `places` int64 (edge,) says where columns start."""
    signature = types.boolean(total, places, types.intp, types.intp, types.intp)

    def generate(context, builder, sig, args):
        lanes = LANES[sig.args[0].dtype](builder)
        data, table = (context.make_array(k)(context, builder, v).data for k, v in zip(sig.args[:2], args[:2]))
        odd = cgutils.alloca_once_value(builder, ir.Constant(BIT, 0))
        for edge_count in _each_degree(builder, args[3]):
            starts = [builder.load(builder.gep(table, [builder.add(args[2], _size(j))])) for j in range(edge_count)]
            _emit_parity(builder, lanes, [builder.gep(data, [start]) for start in starts], args[4], odd)
        return builder.load(odd)

    return signature, generate


@intrinsic
def copy_run(typing, target, to, source, start, length):
    """Copy `length` elements from place `start` of `source` to place `to` of `target`; the two do not overlap."""
    signature = types.void(target, types.intp, source, types.intp, types.intp)

    def generate(context, builder, sig, args):
        arrays = [context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 2)]
        places = [builder.gep(array, [place]) for array, place in zip(arrays, (args[1], args[3]))]
        cgutils.raw_memcpy(builder, *places, args[4], _size(LANES[sig.args[0].dtype].item_bytes))
        return context.get_dummy_value()

    return signature, generate


def _size(value: int) -> ir.Constant:
    return ir.Constant(SIZE, value)


def _each_degree(builder: ir.IRBuilder, degree: ir.Value) -> Iterator[int]:
    """Emit a jump on `degree` and stand in each of its branches in turn."""
    end = builder.append_basic_block("row_end")
    jump = builder.switch(degree, end)
    for edge_count in sorted(DEGREES):
        branch = builder.append_basic_block(f"degree_{edge_count}")
        jump.add_case(_size(edge_count), branch)
        builder.position_at_end(branch)
        yield edge_count
        builder.branch(end)
    builder.position_at_end(end)


@dataclass(frozen=True, slots=True)
class _Row:
    """Addresses of one row of checks, edge by edge."""

    read: list[ir.Value]
    write: list[ir.Value]
    repeat: list[ir.Value]
    message: list[ir.Value]

    @classmethod
    def load(cls, builder, total, messages, stride, table, edge_count) -> _Row:
        cell = [[builder.load(builder.gep(table, [_size(3 * j + i)])) for j in range(edge_count)] for i in range(3)]
        read, write = ([builder.gep(total, [start]) for start in cell[i]] for i in (0, 1))
        message = [builder.gep(messages, [builder.mul(stride, _size(j))]) for j in range(edge_count)]
        return cls(read, write, cell[2], message)


def _emit_update(builder, lanes: AnyLanes, rule: type, row: _Row, floor: ir.Value, z: ir.Value) -> None:
    """The loops of `update_row` for one degree."""
    step = _size(lanes.count)
    with cgutils.for_range_slice(builder, _size(0), z, step, SIZE) as (i, _):
        inputs = [lanes.subtract(lanes.load(r, i), lanes.load(m, i)) for r, m in zip(row.read, row.message)]
        inputs[0] = lanes.raised(inputs[0], lanes.load(floor, i))
        answers = _answers(lanes, rule, inputs)
        for t, answer, message, write in zip(inputs, answers, row.message, row.write):
            lanes.store(answer, message, i)
            lanes.store(lanes.add(t, answer), write, i)
    for write, repeat in zip(row.write, row.repeat):
        behind = builder.gep(write, [z])
        with cgutils.for_range_slice(builder, _size(0), repeat, step, SIZE) as (i, _):
            lanes.store(lanes.load(write, i), behind, i)


def _answers(lanes: AnyLanes, rule: type, inputs: list[ir.Value]) -> list[ir.Value]:
    """What a check tells each of its bits: a magnitude from the others, the product of their signs."""
    sizes = [lanes.magnitude(t) for t in inputs]
    sign = reduce(lanes.differ_in_sign, inputs)
    if rule is BoxPlus and len(inputs) <= EXACT_DEGREE:
        each = [lanes.limited(a) for a in _all_but_one(lanes, sizes)]
        return [lanes.signed_like(a, lanes.differ_in_sign(t, sign)) for a, t in zip(each, inputs)]
    least, to_least, to_rest = _least_and_rest(lanes, rule, sizes)
    to_least, to_rest = (lanes.signed_like(lanes.limited(a), sign) for a in (to_least, to_rest))
    return [
        lanes.signed_like(lanes.builder.select(lanes.equal(a, least), to_least, to_rest), t)
        for a, t in zip(sizes, inputs)
    ]


def _all_but_one(lanes: AnyLanes, sizes: list[ir.Value]) -> list[ir.Value]:
    """For each magnitude the combination of all the others, from sums before and after it."""
    before, after = [sizes[0]], [sizes[-1]]
    for ahead, behind in zip(sizes[1:-1], sizes[-2:0:-1]):
        before.append(lanes.box_plus(before[-1], ahead))
        after.append(lanes.box_plus(after[-1], behind))
    after.reverse()
    return [after[0], *(lanes.box_plus(b, a) for b, a in zip(before, after[1:])), before[-1]]


def _least_and_rest(lanes: AnyLanes, rule: type, sizes: list[ir.Value]) -> tuple[ir.Value, ir.Value, ir.Value]:
    """The least magnitude, what its bit is told, and what all other bits are told."""
    combine = lanes.box_plus if rule is BoxPlus else lanes.smaller
    least, others = lanes.smaller(sizes[0], sizes[1]), lanes.larger(sizes[0], sizes[1])
    for a in sizes[2:]:
        others = combine(others, lanes.larger(least, a))
        least = lanes.smaller(least, a)
    if rule is BoxPlus:
        return least, others, lanes.box_plus(least, others)
    weaken = lanes.offset if rule is Offset else lanes.three_quarters
    return least, weaken(others), weaken(least)


def _emit_parity(builder, lanes: AnyLanes, columns: list[ir.Value], z: ir.Value, odd: ir.Value) -> None:
    """Set `odd` if the signs of any of the `z` checks do not multiply to plus."""
    mask = ir.IntType(lanes.count)
    with cgutils.for_range_slice(builder, _size(0), z, _size(lanes.count), SIZE) as (i, _):
        signs = [lanes.negative(lanes.load(column, i)) for column in columns]
        fails = builder.bitcast(reduce(builder.xor, signs), mask)
        # Lanes beyond the column do not count.
        left = builder.sub(z, i)
        whole = builder.icmp_signed(">=", left, _size(lanes.count))
        spare = builder.select(whole, _size(0), builder.sub(_size(lanes.count), left))
        spare = spare if mask == SIZE else builder.trunc(spare, mask)
        fails = builder.and_(fails, builder.lshr(ir.Constant(mask, -1), spare))
        found = builder.icmp_unsigned("!=", fails, ir.Constant(mask, 0))
        builder.store(builder.or_(builder.load(odd), found), odd)
