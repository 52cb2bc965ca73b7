"""Frames left out by a sensor, repeated or blended from their neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semlink.errors import InterfaceError
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.random_projections.frame_interpolation import FrameFill, fill_weights
from semlink.sensing.random_projections.sensor import RandomSensor
from semlink.sensing.specs.frame_interpolation import FillSpec
from semlink.spec import BuildContext

RISING = torch.linspace(0, 1, 6)[:, None, None].expand(6, 4, 5)
CLIP = Frames(torch.stack([RISING, RISING / 2]))


@pytest.mark.parametrize(
    ("method", "expected"), [("nearest", [0, 0.2, 0.2, 0.8, 0.8, 1.0]), ("linear", [0, 0.2, 0.4, 0.6, 0.8, 1.0])]
)
def test_a_gap_is_filled(method, expected):
    """Brightness rises evenly, so blending is exact and repeating is off by a step."""
    sensor = RandomSensor("identity", skip=(2, 3))
    fill = FillSpec(kind="fill", method=method).build(BuildContext(sensor=sensor))
    filled = fill.reconstruct(sensor.measure(CLIP, Seeds(0)))
    assert filled.pixels.shape == CLIP.pixels.shape
    np.testing.assert_allclose(filled.pixels[0, :, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(filled.pixels[1, :, 2, 1], np.array(expected) / 2, atol=1e-6)


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_ends_repeat_and_frames_read_are_kept(method):
    weights = fill_weights(np.array([1, 2, 5]), 7, method)
    assert weights[0].tolist() == [1, 0, 0] and weights[6].tolist() == [0, 0, 1]
    assert np.array_equal(weights[[1, 2, 5]], np.eye(3))
    np.testing.assert_allclose(weights.sum(1), 1)


@pytest.mark.parametrize("sensor", [RandomSensor("missing"), RandomSensor("gaussian"), object()])
def test_sensors_of_other_readings_are_refused(sensor):
    with pytest.raises(InterfaceError, match="needs a sensor of whole frames; allowed: random with operator identity"):
        FrameFill(sensor)
