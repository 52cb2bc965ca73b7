"""Blocks as tokens: the readings of a block in the order of the sensor, and back."""

from __future__ import annotations

import pytest
import torch

from semlink.codecs.readings_domain import normalise_readings
from semlink.codecs.token_readings import TokenReadings, blocks, unblocks
from semlink.training.tasks.sensed_clips import SensedClips


def shipped() -> TokenReadings:
    return TokenReadings(SensedClips().tile, 8, 8)


def test_the_shipped_sensor_takes_160_readings_of_a_block():
    readings = shipped()
    assert readings.width == 160 and len(set(readings.places.tolist())) == 160


def test_readings_go_to_tokens_and_back():
    sensor, clip = SensedClips(), torch.rand(2, 16, 24, 40)
    counts = sensor.counts(clip)
    x = normalise_readings(sensor.sense(clip, counts, torch.Generator().manual_seed(0)), counts)
    tokens = shipped().gather(x)
    assert tokens.shape == (2, 3, 5, 160)
    assert torch.equal(shipped().scatter(tokens), x), "what no reading fills is zero"


def test_a_token_is_its_own_block():
    planes = torch.arange(2 * 16 * 24.0).view(1, 2, 16, 24)
    tokens = blocks(planes, 8)
    assert torch.equal(tokens[0, 1, 2].view(2, 8, 8), planes[0, :, 8:, 16:])
    assert torch.equal(unblocks(tokens, 8), planes)


def test_what_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="no whole number of blocks"):
        blocks(torch.zeros(1, 1, 12, 8), 8)
    with pytest.raises(ValueError, match="does not repeat"):
        TokenReadings(((1, 2, 4),), 8, 8)
