"""The delta-sigma codec on tokens: bits, classes, contexts in whole numbers, packets, damage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from delta_sigma_toys import scene, stirred_token_bits, write_token_delta

from semlink.codecs.delta_sigma.binary_maps import load_delta_sigma
from semlink.codecs.delta_sigma.codec import DeltaSigmaCodec
from semlink.codecs.delta_sigma.modulator import modulate
from semlink.codecs.delta_sigma.tokens.allotment import FULL, LEVELS, allotted, counts_at, table
from semlink.codecs.delta_sigma.tokens.codec import TokenBitCodec
from semlink.codecs.delta_sigma.tokens.contexts import facts_of, surprise
from semlink.codecs.delta_sigma.tokens.group_coding import chances, read_group, write_group
from semlink.codecs.delta_sigma.tokens.integer_contexts import LOGIT_ONE, Group, IntegerBitContexts
from semlink.codecs.delta_sigma.tokens.networks import CLASSES, TokenBits, TokenBitSizes, classes_of, kept
from semlink.codecs.packetization import framed_size
from semlink.codecs.token_readings import blocks, unblocks
from semlink.codecs.tokens.contexts import TURNS, scan_order
from semlink.errors import Infeasible, InterfaceError, ModelError, ScenarioError
from semlink.payload import FrameShape, Packet

SHAPE = FrameShape(4, 24, 32)
GRID = 3, 4
N = 2  # frames of a group
BITS = 12 * N


def clip4() -> np.ndarray:
    """Two groups of moving scenes."""
    return scene(frames=4, h=24, w=32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    return write_token_delta(tmp_path_factory.mktemp("token_delta"))


@pytest.fixture(scope="module")
def net() -> TokenBits:
    return stirred_token_bits(0.3)


def drawn_group(later: bool, seed: int = 0, grid: tuple[int, int] = (5, 6)):
    """Classes, bits and the last group's bits as they could be."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, grid)
    counts = counts_at(30, classes, 12, later=later)
    bits = np.where(np.repeat(np.arange(12), N) < counts[..., None], rng.choice([-1.0, 1.0], (*grid, BITS)), 0.0)
    last = rng.choice([-1.0, 0.0, 1.0], (*grid, BITS)) if later else None
    return classes, counts, bits, last


# the networks


@torch.no_grad()
def test_bits_are_those_of_the_modulator(net):
    """Sign of the modulated codes, along the frames of each channel."""
    clip = torch.from_numpy(clip4())[None, :N]
    expected = net.expect(None, clip[..., ::8, ::8])
    codes, bits = net.code(clip, expected, classes_of(clip, expected))
    codes = codes.unflatten(-1, (12, N))
    assert codes.abs().max() <= 0.7
    assert torch.equal(bits, modulate(codes, 1, 4).flatten(3))


@torch.no_grad()
def test_bits_of_a_channel_do_not_depend_on_how_many_are_sent(net):
    """The prefix of a first group is the same at every rate, and what is not sent changes nothing."""
    clip = torch.from_numpy(clip4())[None, :N]
    expected = net.expect(None, clip[..., ::8, ::8])
    classes = classes_of(clip, expected)
    bits = net.code(clip, expected, classes)[1]
    counts = torch.full((1, *GRID), 5)
    other = torch.where(kept(counts, net.sizes) > 0, bits, -bits)
    assert torch.equal(net.frames(bits, counts, expected, classes), net.frames(other, counts, expected, classes))


@torch.no_grad()
def test_later_runs_see_what_the_linear_decoder_makes_of_earlier_ones(net):
    """Their codes, without the trunk, are the analysis of what is left over, in the block's own scale."""
    plain = stirred_token_bits(0.0)
    clip = torch.from_numpy(clip4())[None]
    first = plain.expect(None, clip[..., ::8, ::8])
    for part, expected in enumerate((first, plain.expect(clip[:, :N], clip[..., ::8, ::8]))):
        frames = clip[:, N * part : N * part + N]
        classes = classes_of(frames, expected)
        codes, bits = plain.code(frames, expected, classes)
        sent = torch.full_like(classes, 8)
        left = frames - plain.frames(bits, sent, expected, classes)
        scale = 10 ** (3 / 20 * classes.float())[..., None]
        wanted = 0.7 * torch.tanh((blocks(left, 8) * scale) @ plain.linear(part)[0][8 * N :].T)
        torch.testing.assert_close(codes[..., 8 * N :], wanted, atol=2e-3, rtol=0)


@torch.no_grad()
def test_quieter_blocks_are_of_higher_classes(net):
    frames = 0.5 + torch.zeros(1, N, 8, 32)
    for block, amplitude in enumerate((0.3, 0.1, 0.02, 0.0)):
        frames[..., 8 * block : 8 * block + 8] += amplitude * torch.randn(
            N, 8, 8, generator=torch.Generator().manual_seed(1)
        )
    classes = classes_of(frames, net.expect(None, frames[..., ::8, ::8]))[0, 0].tolist()
    assert classes == sorted(classes) and classes[0] == 0 and classes[-1] == CLASSES - 1 and len(set(classes)) == 4


def test_allotment_falls_with_the_class_and_rises_with_the_level():
    found = table(32)
    assert found.shape == (2, LEVELS, CLASSES)
    assert (found.diff(dim=1) >= 0).all() and (found.diff(dim=2) <= 0).all()
    assert found[:, FULL, 0].tolist() == [32, 32] and found[0].min() == 2 and found[1].min() == 0
    classes = torch.tensor([[[0, 3], [7, 10]]])
    assert torch.equal(allotted(torch.tensor([20]), classes, 32, later=True)[0], found[1, 20][classes[0]])


@pytest.mark.parametrize("order, scan", [(0, "frames"), (1, "frames"), (1, "channels"), (2, "frames")])
def test_every_order_and_scan_begins_as_a_transform_coder(order, scan):
    """More channels are better from the linear code on, before any training."""
    net = stirred_token_bits(0.0, order=order, scan=scan)
    rng = torch.Generator().manual_seed(2)
    falling = torch.exp(-torch.arange(net.sizes.pixels) / 8)
    turned = torch.linalg.qr(torch.randn(128, 128, generator=torch.Generator().manual_seed(1)))[0]
    clip = unblocks((torch.randn(1, *GRID, 128, generator=rng) * falling) @ turned, 8) + 0.5
    errors = []
    with torch.no_grad():
        expected = net.expect(None, clip[..., ::8, ::8])
        classes = torch.zeros(1, *GRID, dtype=torch.long)
        bits = net.code(clip, expected, classes)[1]
        for k in (1, 4, 12):
            counts = torch.full((1, *GRID), k)
            errors.append(float((net.frames(bits, counts, expected, classes) - clip).square().mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.3 * float((clip - 0.5).square().mean())


# contexts


@torch.no_grad()
@pytest.mark.parametrize("later", [False, True])
def test_whole_numbers_expect_what_the_network_expects(net, later):
    classes, counts, bits, last = drawn_group(later)
    logits = np.full(bits.shape, np.nan)

    def visit(at, places, found):
        logits.reshape(-1, BITS)[places, at.start] = found / LOGIT_ONE
        return bits.reshape(-1, BITS)[places, at.start]

    walked = IntegerBitContexts(net.contexts).walk(Group(classes, counts, last), visit)
    assert np.array_equal(walked, bits)
    own, before = (torch.from_numpy(x).float()[None] for x in (bits, np.zeros_like(bits) if last is None else last))
    facts = facts_of(torch.from_numpy(classes)[None], torch.from_numpy(counts)[None], later)
    order = scan_order(*classes.shape)
    for turn in range(TURNS):
        wanted = net.contexts(own, before, facts, torch.tensor([turn]))[0].numpy()
        here = (order.numpy() == turn)[..., None] & (bits != 0)
        assert here.any() and np.abs(wanted[here].clip(-12, 12) - logits[here]).max() < 0.25
    assert np.nanstd(logits) > 0.1


def test_nothing_expects_itself_or_what_comes_after(net):
    """A bit changes only expectations that are met after it."""
    classes, counts, bits, last = drawn_group(True)
    integer = IntegerBitContexts(net.contexts)

    def logits_of(values):
        met = []

        def visit(at, places, found):
            met.extend((at.start, int(place), int(x)) for place, x in zip(places, found))
            return values.reshape(-1, BITS)[places, at.start]

        integer.walk(Group(classes, counts, last), visit)
        return met

    rng, whole = np.random.default_rng(5), logits_of(bits)
    for number in rng.integers(0, len(whole), 8):
        at, place, _ = whole[number]
        other = bits.copy()
        other.reshape(-1, BITS)[place, at] *= -1
        changed = [n for n, (a, b) in enumerate(zip(whole, logits_of(other))) if a != b]
        assert not changed or changed[0] > number


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("grid", [(5, 6), (1, 1), (1, 7), (4, 1)])
def test_a_group_survives_its_stream(net, later, grid):
    classes, counts, bits, last = drawn_group(later, grid=grid)
    integer = IntegerBitContexts(net.contexts)
    data = write_group(integer, 30, classes, bits, last)
    found = read_group(integer, 30, data, grid, last)
    assert found is not None
    for got, wanted in zip(found, (classes, counts, bits)):
        assert np.array_equal(got, wanted)


@torch.no_grad()
def test_a_stream_takes_what_its_bits_tell(net):
    """The surprise under the network, and a few bits a block for classes drawn at random."""
    classes, counts, bits, last = drawn_group(True, grid=(12, 12))
    data = write_group(IntegerBitContexts(net.contexts), 30, classes, bits, last)
    own, before = (torch.from_numpy(x).float()[None] for x in (bits, last))
    facts = facts_of(torch.from_numpy(classes)[None], torch.from_numpy(counts)[None], True)
    order, told = scan_order(12, 12), 0.0
    for turn in range(TURNS):
        cost = (surprise(own, net.contexts(own, before, facts, torch.tensor([turn]))) * own.abs()).sum(-1)[0]
        told += float(cost[order == turn].sum())
    assert 0.99 * told < 8 * len(data) < 1.02 * told + 6 * 144


def test_chances_are_not_near_a_tie():
    """Rounded alike wherever exp differs in its last bits; ones and zeros are mirrored."""
    logits = np.arange(-192, 193) / LOGIT_ONE
    whole = 2.0**28 / (1 + np.exp(-logits))
    assert np.abs(whole % 1 - 0.5).min() > 1e-5
    np.testing.assert_allclose(chances() + chances()[::-1], 1, atol=2**-27)


def test_contexts_that_could_exceed_exact_sums_are_refused(net):
    import copy

    wild = copy.deepcopy(net.contexts)
    with torch.no_grad():
        wild.middle.weight.fill_(1e9)
    with pytest.raises(ModelError, match="2\\^53"):
        IntegerBitContexts(wild)


# the codec


def test_what_is_coded_is_decoded(weights):
    """Both ends hold the same groups; the receiver shows what the transmitter expected from."""
    codec, model = TokenBitCodec(weights), load_delta_sigma(weights)
    packets = codec.encode_at(clip4(), 5)
    groups = model.coded(clip4(), packets[0].data[0])
    last = None
    for packet, wanted in zip(packets, groups, strict=True):
        last = model.read(packet.data[2:], packet.data[0], GRID, last)
        assert all(np.array_equal(a, b) for a, b in zip(last, wanted))
    decoded = codec.decode(packets, SHAPE)
    assert decoded.shape == (4, 24, 32) and decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, model.coded_frames(groups, SHAPE, GRID))


def test_threads_change_no_byte(weights):
    codec, before = TokenBitCodec(weights), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            found.append([packet.data for packet in codec.encode_at(clip4(), 5)])
        finally:
            torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_rate_is_the_mean_number_of_channels(weights):
    model = load_delta_sigma(weights)
    sizes = []
    for k in (2, 4, 8, 12):
        packets = TokenBitCodec(weights).encode_at(clip4(), k)
        level = packets[0].data[0]
        assert np.mean([group.counts for group in model.coded(clip4(), level)]) <= max(k, 2)
        sizes.append(framed_size(packets))
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_the_largest_that_fits_is_sent(weights):
    codec, clip = TokenBitCodec(weights), clip4()
    sizes = [framed_size(codec.encode_at(clip, k)) for k in (4, 8)]
    for max_bytes in (sizes[0], sum(sizes) // 2, sizes[1]):
        assert sizes[0] * 0.9 < framed_size(codec.encode(clip, max_bytes=max_bytes)) <= max_bytes
    fixed = TokenBitCodec(weights, channels=4)
    assert fixed.encode(clip, max_bytes=10**6) == fixed.encode_at(clip, 4) == codec.encode_at(clip, 4)
    with pytest.raises(Infeasible, match=r"even 2 channels take (\d+) bytes.*raise it to \1 bytes"):
        codec.encode(clip, max_bytes=8)


def test_refusals(weights, tmp_path):
    with pytest.raises(ScenarioError, match="codec.channels: got 40 channels; allowed: whole numbers from 2 to 12"):
        TokenBitCodec(weights, channels=40)
    with pytest.raises(ScenarioError, match="rates: got 1 channels; allowed: whole numbers from 2 to 12"):
        TokenBitCodec(weights).encode_at(clip4(), 1)
    with pytest.raises(ScenarioError, match="got 5 channels beside codec.channels 4"):
        TokenBitCodec(weights, channels=4).encode_at(clip4(), 5)
    with pytest.raises(InterfaceError, match="allowed: gray frames"):
        TokenBitCodec(weights).encode_at(np.zeros((8, 16, 16, 3), np.float32), 4)
    with pytest.raises(InterfaceError, match="got a clip of 258 frames; allowed: 1 to 256"):
        TokenBitCodec(weights).encode_at(np.zeros((258, 8, 8), np.float32), 4)
    with pytest.raises(ModelError, match="entropy"):
        DeltaSigmaCodec(weights, entropy=True)
    with pytest.raises(ModelError, match="never trained to be coded"):
        TokenBitCodec("delta_sigma")
    for key, value, said in (("order", 3, "0, 1, 2"), ("scan", "rows", "frames"), ("group", 1, "2 to 64")):
        with pytest.raises(ValueError, match=f"model.{key}: got .*{said}"):
            TokenBitSizes(**{key: value})


@pytest.mark.parametrize("t, h, w", [(1, 8, 8), (3, 17, 9)])
@pytest.mark.parametrize("coded", [False, True])
def test_clips_that_are_no_whole_groups_or_blocks(weights, t, h, w, coded):
    codec = TokenBitCodec(weights) if coded else DeltaSigmaCodec(weights)
    decoded = codec.decode(codec.encode_at(clip4()[:t, :h, :w], 6), FrameShape(t, h, w))
    assert decoded.shape == (t, h, w) and np.isfinite(decoded).all()


@pytest.mark.parametrize("coded", [False, True])
def test_damage_never_raises(weights, coded):
    codec = TokenBitCodec(weights) if coded else DeltaSigmaCodec(weights)
    rng = np.random.default_rng(0)
    packets = list(codec.encode_at(clip4(), 6))
    for trial in range(12):
        damaged = []
        for packet in packets:
            data = bytearray(packet.data)
            for place in rng.integers(0, len(data), rng.integers(0, 6)):
                data[place] = rng.integers(0, 256)
            data = data[: rng.integers(0, len(data) + 1)] if trial % 2 else data
            damaged.append(replace(packet, data=bytes(data)))
        decoded = codec.decode(damaged, SHAPE)
        assert np.isfinite(decoded).all() and decoded.min() >= 0 and decoded.max() <= 1
    for noise in ([], [Packet(0, bytes((200, 255)))], [Packet(0, rng.bytes(int(n))) for n in rng.integers(0, 50, 30)]):
        assert codec.decode(noise, SHAPE).shape == (4, 24, 32)


def test_what_follows_a_lost_group_is_lost(weights):
    """A later group is coded in the context of the bits before; without them it stands still, and shows no noise."""
    codec, clip = TokenBitCodec(weights), clip4()
    first, *others = codec.encode_at(clip, 6)
    alone = codec.decode([first], SHAPE)
    np.testing.assert_array_equal(alone[:N], codec.decode([first, *others], SHAPE)[:N])
    np.testing.assert_array_equal(codec.decode(others, SHAPE), codec.decode([], SHAPE))
    spoiled = bytes(byte ^ 0x55 for byte in first.data[2:])
    broken = replace(first, data=first.data[:2] + spoiled)
    np.testing.assert_array_equal(codec.decode([broken, *others], SHAPE), codec.decode([], SHAPE))
