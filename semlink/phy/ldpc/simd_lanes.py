"""Vectors of the processor as LLVM sees them: the arithmetic of a check on many lanes at once.

Arrays of int8 take saturating arithmetic on magnitudes of 0..128, arrays of
float32 plain arithmetic with fused products where they are spelled out and
nowhere else, so that loops give the same bits.
"""

from __future__ import annotations

import os

from llvmlite import binding, ir
from numba.core import cgutils, types

from semlink.phy.ldpc import check_rules as rules

BIT, BYTE, WORD, SIZE = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)


def host_vector_bytes() -> int:
    """Width of the widest vectors that this processor adds bytes in; SEMLINK_VECTORS=16, 32 or 64 overrules."""
    wanted = os.environ.get("SEMLINK_VECTORS", "")
    if wanted in ("16", "32", "64"):
        return int(wanted)
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512bw") else 32 if features.get("avx2") else 16


VECTOR_BYTES = host_vector_bytes()


class Lanes:
    """Vectors of one element type, at the place in the code where `builder` stands."""

    element: ir.Type
    code: str
    item_bytes: int
    registers = 1  # of the processor that one vector fills

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder
        self.count = self.lane_count()
        self.type = ir.VectorType(self.element, self.count)

    @classmethod
    def lane_count(cls) -> int:
        return cls.registers * VECTOR_BYTES // cls.item_bytes

    def load(self, start: ir.Value, offset: ir.Value) -> ir.Value:
        return self.builder.load(self._vector_at(start, offset), align=1)

    def store(self, value: ir.Value, start: ir.Value, offset: ir.Value) -> None:
        self.builder.store(value, self._vector_at(start, offset), align=1)

    def all(self, value: float) -> ir.Constant:
        return ir.Constant(self.type, [value] * self.count)

    def call(self, name: str, *args: ir.Value) -> ir.Value:
        """LLVM's own function `name` on these vectors."""
        kind = ir.FunctionType(self.type, [arg.type for arg in args])
        full_name = f"llvm.{name}.v{self.count}{self.code}"
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, full_name), args)

    def _vector_at(self, start: ir.Value, offset: ir.Value) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(start, [offset]), self.type.as_pointer())


class Int8Lanes(Lanes):
    element, code, item_bytes = BYTE, "i8", 1

    def subtract(self, a, b):
        return self.call("ssub.sat", a, b)

    def add(self, a, b):
        return self.call("sadd.sat", a, b)

    def magnitude(self, a):
        return self.call("abs", a, ir.Constant(BIT, 0))

    def smaller(self, a, b):
        return self.call("umin", a, b)

    def larger(self, a, b):
        return self.call("umax", a, b)

    def raised(self, a, floor):
        return self.call("smax", a, floor)

    def equal(self, a, b):
        return self.builder.icmp_unsigned("==", a, b)

    def negative(self, a):
        return self.builder.icmp_signed("<", a, self.all(0))

    def differ_in_sign(self, a, b):
        return self.builder.xor(a, b)

    def signed_like(self, a, sign):
        return self.builder.select(self.negative(sign), self.builder.sub(self.all(0), a), a)

    def box_plus(self, a, b):
        low, high = self.smaller(a, b), self.larger(a, b)
        quarter = self.builder.lshr(self.builder.sub(high, low), self.all(2))
        return self._less(low, self._less(self.all(rules.INT8_STEPS), quarter))

    def three_quarters(self, a):
        return self.builder.sub(a, self.builder.lshr(a, self.all(2)))

    def offset(self, a):
        return self._less(a, self.all(rules.INT8_OFFSET))

    def limited(self, a):
        return self.smaller(a, self.all(rules.INT8_LIMIT))

    def _less(self, a, b):
        return self.call("usub.sat", a, b)


class Float32Lanes(Lanes):
    element, code, item_bytes = ir.FloatType(), "f32", 4
    registers = 2  # its long chains of dependent steps leave half of the units idle otherwise

    def subtract(self, a, b):
        return self.builder.fsub(a, b)

    def add(self, a, b):
        return self.builder.fadd(a, b)

    def magnitude(self, a):
        return self.call("fabs", a)

    def smaller(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def larger(self, a, b):
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def raised(self, a, floor):
        return self.larger(a, floor)

    def equal(self, a, b):
        return self.builder.fcmp_ordered("==", a, b)

    def negative(self, a):
        return self.builder.fcmp_ordered("<", a, self.all(0.0))

    def differ_in_sign(self, a, b):
        return self._bits(self.builder.xor, a, b)

    def signed_like(self, a, sign):
        return self._bits(self.builder.xor, a, self._bits(self.builder.and_, sign, self.all(-0.0)))

    def box_plus(self, a, b):
        low, high = self.smaller(a, b), self.larger(a, b)
        part = self.call("fma", self.all(0.75), low, self.all(-rules.FLOAT_STEP))
        weakened = self.call("fma", self.all(0.25), high, part)
        return self.larger(self.builder.fmul(low, self.all(rules.FLOAT_KEPT)), self.smaller(weakened, low))

    def three_quarters(self, a):
        return self.builder.fmul(a, self.all(0.75))

    def offset(self, a):
        return self.larger(self.subtract(a, self.all(rules.FLOAT_OFFSET)), self.all(0.0))

    def limited(self, a):
        return a

    def _bits(self, operation, a, b):
        words = ir.VectorType(WORD, self.count)
        return self.builder.bitcast(operation(*(self.builder.bitcast(v, words) for v in (a, b))), self.type)


AnyLanes = Int8Lanes | Float32Lanes
LANES: dict[types.Type, type[AnyLanes]] = {types.int8: Int8Lanes, types.float32: Float32Lanes}


def lane_count(itemsize: int) -> int:
    """How many lanes a vector of elements of `itemsize` bytes has."""
    return next(lanes for lanes in LANES.values() if lanes.item_bytes == itemsize).lane_count()
