"""What decoders make of streams that lost packets or were damaged: pictures, never an exception."""

from __future__ import annotations

import random
import resource

import numpy as np
import pytest
from test_codecs import STANDARDS, moving_scene, psnr_db, shape_of

from semlink.codecs.video.h26x import VideoCodec
from semlink.codecs.video.luma import placed
from semlink.payload import FrameShape, Packet

CODECS = [
    *(VideoCodec(standard, preset="veryfast") for standard in STANDARDS),
    *(VideoCodec(standard, preset="veryfast", gop=4, repeat_headers=True) for standard in STANDARDS),
    VideoCodec("h264", slices=4),
]


def lose(packets, rng):
    return [packet for packet in packets if rng.random() > 0.15]


def flip(packets, rng):
    return [Packet(packet.time, flipped(packet.data, rng)) for packet in packets]


def flipped(data, rng):
    bits = bytearray(data)
    for _ in range(rng.randrange(4)):
        bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
    return bytes(bits)


def truncate(packets, rng):
    return [Packet(p.time, p.data[: rng.randrange(len(p.data) + 1)]) if rng.random() < 0.2 else p for p in packets]


def shuffle(packets, rng):
    return rng.sample(packets, len(packets))


def forge(packets, rng):
    """Random bytes behind real first bytes, at random times."""
    return [Packet(rng.randrange(256), p.data[: rng.randrange(3)] + rng.randbytes(rng.randrange(200))) for p in packets]


def retime(packets, rng):
    return [Packet(rng.randrange(256), packet.data) for packet in packets]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: f"{codec.standard}-gop{codec.gop}-slices{codec.slices}")
def test_no_damage_raises_or_depends_on_chance(codec, capfd):
    """Every kind of damage gives frames of the right kind, the same ones each time, and not a word."""
    clip = moving_scene(8, 64, 80)
    packets = list(codec.encode_at(clip, 30))
    rng = random.Random(1)
    for damage in (lose, flip, truncate, shuffle, forge, retime):
        for _ in range(8):
            arrived = damage(packets, rng)
            decoded = codec.decode(arrived, shape_of(clip))
            assert decoded.shape == clip.shape and decoded.dtype == np.float32
            assert decoded.min() >= 0 and decoded.max() <= 1
            np.testing.assert_array_equal(codec.decode(arrived, shape_of(clip)), decoded)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("standard", STANDARDS)
def test_nothing_arrived_is_mid_gray(standard):
    codec = VideoCodec(standard)
    for arrived in ([], [Packet(0, b"")], [Packet(3, bytes(50))]):
        assert np.all(codec.decode(arrived, FrameShape(3, 20, 30)) == 0.5)


@pytest.mark.parametrize("standard", STANDARDS)
def test_stream_of_another_size_is_not_shown(standard):
    """A parameter set that claims fewer pixels than agreed gives no picture to crop from."""
    codec = VideoCodec(standard)
    packets = codec.encode_at(moving_scene(2, 64, 64), 30)
    assert np.all(codec.decode(packets, FrameShape(2, 300, 300)) == 0.5)


def test_gaps_repeat_the_last_good_frame():
    """Closed form: frames 2 and 5 of 7 arrived."""
    pictures = {2: np.full((1, 1), 51, np.uint8), 5: np.full((1, 1), 204, np.uint8)}
    shown = placed(pictures, FrameShape(7, 1, 1))[:, 0, 0]
    np.testing.assert_allclose(shown, [0.2, 0.2, 0.2, 0.2, 0.2, 0.8, 0.8], rtol=1e-6)


@pytest.mark.parametrize("standard", STANDARDS)
def test_lost_tail_freezes_the_last_frame(standard):
    """Without B-frames, packets up to time 3 decode to the same four frames, the last one repeated."""
    clip = moving_scene(8, 64, 80)
    codec = VideoCodec(standard, bframes=0)
    packets = codec.encode_at(clip, 25)
    whole = codec.decode(packets, shape_of(clip))
    head = codec.decode([packet for packet in packets if packet.time <= 3], shape_of(clip))
    np.testing.assert_array_equal(head[:4], whole[:4])
    np.testing.assert_array_equal(head[4:], np.broadcast_to(whole[3], (4, 64, 80)))


@pytest.mark.parametrize("standard", STANDARDS)
def test_lost_group_costs_only_itself(standard):
    """A lost first key frame leaves the second group of pictures untouched."""
    clip = moving_scene(8, 64, 80)
    codec = VideoCodec(standard, gop=4)
    packets = codec.encode_at(clip, 25)
    whole = codec.decode(packets, shape_of(clip))
    key = max((packet for packet in packets if packet.time == 0), key=lambda packet: len(packet.data))
    decoded = codec.decode([packet for packet in packets if packet != key], shape_of(clip))
    np.testing.assert_array_equal(decoded[4:], whole[4:])
    assert psnr_db(whole[:4], decoded[:4]) < 40


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_lost_slice_costs_only_its_part(lost):
    """Four slices of two macroblock rows: the other rows differ at most where the loop filter reaches."""
    clip = moving_scene(1, 128, 96, blur=1.0)
    codec = VideoCodec("h264", slices=4)
    packets = codec.encode_at(clip, 25)
    slices = [packet for packet in packets if packet.data[0] & 31 == 5]
    assert len(slices) == 4
    whole = codec.decode(packets, shape_of(clip))[0]
    decoded = codec.decode([packet for packet in packets if packet != slices[lost]], shape_of(clip))[0]
    rows = np.arange(128)
    outside = (rows < 32 * lost - 3) | (rows >= 32 * (lost + 1) + 3)
    np.testing.assert_array_equal(decoded[outside], whole[outside])
    assert np.abs(decoded - whole)[~outside].mean() > 0.01


def test_h264_conceals_a_lost_picture_better_than_a_freeze():
    """One lost P-picture under a slow pan: motion goes on behind it."""
    clip = moving_scene(12, 96, 96)
    codec = VideoCodec("h264", bframes=0)
    packets = codec.encode_at(clip, 25)
    decoded = codec.decode([packet for packet in packets if packet.time != 4], shape_of(clip))
    frozen = placed({t: np.rint(clip[t] * 255).astype(np.uint8) for t in range(4)}, shape_of(clip))
    assert psnr_db(clip[5:], decoded[5:]) > psnr_db(clip[5:], frozen[5:]) + 1


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: f"{codec.standard}-gop{codec.gop}-slices{codec.slices}")
def test_damage_by_the_hundred(codec):
    """No leak: after a warm-up, 75 encodes and 375 damaged decodes leave memory where it was (16 MiB)."""
    clip = moving_scene(8, 64, 80)
    rng = random.Random(2)
    peaks = []
    for _ in range(100):
        packets = list(codec.encode_at(clip, 30))
        for damage in (lose, flip, truncate, forge, retime):
            codec.decode(damage(packets, rng), shape_of(clip))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[-1] - peaks[25] < 16 * 1024
