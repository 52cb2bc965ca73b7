"""Random projections: adjoints, what is drawn, what is read and what it costs."""

from __future__ import annotations

import math

import pytest
import torch

from semlink.errors import InterfaceError
from semlink.payload import Frames, FrameShape
from semlink.seeds import Seeds
from semlink.sensing.random_projections.sensor import RandomSensor

SHAPE = FrameShape(5, 24, 8)  # three planes of 8 x 8, or one of 24 x 8
SENSORS = {
    "identity": RandomSensor("identity"),
    "gaussian": RandomSensor("gaussian", measurements=40),
    "missing": RandomSensor("missing", missing=0.8, planes=3),
    "missing, frames skipped": RandomSensor("missing", missing=0.5, skip=(0, 3)),
}


def scene(clips: int = 3, shape: FrameShape = SHAPE) -> Frames:
    return Frames(torch.rand(clips, shape.t, shape.h, shape.w, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_adjoint(sensor):
    """<A x, y> = <x, A' y>."""
    operator = sensor.operators(SHAPE, torch.float64)
    t = len(sensor.frames_read(SHAPE))
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(2, t, SHAPE.h * SHAPE.w, generator=rng, dtype=torch.float64)
    y = torch.randn(2, t, operator.num_readings, generator=rng, dtype=torch.float64)
    assert torch.allclose((operator.forward(x) * y).sum(), (x * operator.adjoint(y)).sum(), rtol=1e-12)


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_the_gradient_is_the_adjoint(sensor):
    operator = sensor.operators(SHAPE, torch.float64)
    t = len(sensor.frames_read(SHAPE))
    x = torch.randn(2, t, SHAPE.h * SHAPE.w, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, t, operator.num_readings, dtype=torch.float64)
    (grad,) = torch.autograd.grad((operator.forward(x) * y).sum(), x)
    torch.testing.assert_close(grad, operator.adjoint(y))


@pytest.mark.parametrize("sensor", SENSORS.values(), ids=SENSORS)
def test_readings_are_those_of_the_operator_frame_by_frame_and_cost_what_they_are(sensor):
    frames = scene()
    read = sensor.measure(frames, Seeds(9))
    (part,) = read.parts
    assert read.frames == SHAPE and part.dtype == torch.float32 and part.shape[:2] == (3, 1)
    assert part.shape[2] == sensor.measurements_per_pixel(SHAPE) * SHAPE.h * SHAPE.w
    operator, kept = sensor.operators(SHAPE), list(sensor.frames_read(SHAPE))
    expected = operator.forward(frames.pixels[:, kept].flatten(2))
    torch.testing.assert_close(part.view(expected.shape), expected)
    assert torch.equal(part, sensor.measure(frames, Seeds(10, trial=4)).parts[0]), (
        "the patterns are agreed on, not drawn"
    )


@pytest.mark.source("hyder2019gmlr", "Sec. 3.2")
def test_exactly_the_share_is_missing_alike_in_all_planes_and_anew_in_each_frame():
    sensor = RandomSensor("missing", missing=0.8, planes=3)
    kept = sensor.operators(FrameShape(4, 3 * 64, 64)).kept
    assert kept.shape == (4, 3 * (4096 - math.floor(0.8 * 4096)))
    by_plane = kept.view(4, 3, -1) - 4096 * torch.arange(3)[:, None]
    assert torch.equal(by_plane[:, 0], by_plane[:, 2]) and not torch.equal(kept[0], kept[1])
    assert by_plane.min() >= 0 and by_plane.max() < 4096 and all(len(set(row.tolist())) == len(row) for row in kept)


@pytest.mark.source("hyder2019gmlr", "Sec. 3.3")
def test_gaussian_patterns_keep_energy_on_average():
    """Entries N(0, 1/m): E |A x|^2 = |x|^2. 5 sigma of the mean and of the variance of what is drawn."""
    operator = RandomSensor("gaussian", measurements=50).operators(FrameShape(4, 20, 20))
    entries = operator.patterns.double().flatten() * 50**0.5
    assert abs(entries.mean()) < 5 / len(entries) ** 0.5
    assert abs(entries.var() - 1) < 5 * (2 / len(entries)) ** 0.5
    assert torch.equal(operator.patterns, operator.patterns.bfloat16().float()), "the same in all precisions"
    assert not torch.equal(operator.patterns[0], operator.patterns[1])


def test_a_frame_is_read_alike_however_many_there_are_and_seeds_differ():
    few, many = FrameShape(3, 16, 16), FrameShape(9, 16, 16)
    for sensor in (RandomSensor("gaussian", 20), RandomSensor("missing")):
        first, second = (
            sensor.measure(Frames(scene(1, many).pixels[:, : s.t]), Seeds(0)).parts[0] for s in (few, many)
        )
        assert torch.equal(first, second[..., : first.shape[2]])
    x = scene(1, few)
    one, other = (RandomSensor("gaussian", 20, seed=s).measure(x, Seeds(0)).parts[0] for s in (0, 1))
    assert (one - other).abs().max() > 0.1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"operator": "missing", "missing": 1.0}, "no pixel of a frame"),
        ({"operator": "gaussian", "measurements": 0}, "measurements is 0"),
        ({"operator": "identity", "skip": (5,)}, r"frames \[5\] are not there; allowed: some of 0 to 4"),
        ({"operator": "identity", "skip": (0, 1, 2, 3, 4)}, "no frame is left"),
        ({"operator": "identity", "planes": 5}, "24 rows are not 5 planes"),
    ],
)
def test_bad_options_say_what_is_allowed(options, says):
    with pytest.raises(InterfaceError, match=says):
        RandomSensor(**options).measure(scene(), Seeds(0))
