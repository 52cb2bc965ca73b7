"""What every block keeps, shipped, printed in the docs or made by `semlink new`; a new one is found by itself.

Same seeds, same output; the input is left alone; charges are the symbols; type and device are kept; a
pickle is as good as the block, and its `repr` rebuilds it.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from found_blocks import FRAMES, found, found_schemes, sensor_for
from own_blocks import rows_of

from semlink.blocks import CodingBase, RateBoundBase
from semlink.codecs.packetization import framed_size
from semlink.flow import Flow
from semlink.ledger import PURPOSES, Charge
from semlink.link.results.folder import Results
from semlink.link.results.media.reception import LOST, Reception, Receptions
from semlink.payload import ChannelOutput, Frames, Received, Symbols
from semlink.phy.channels.awgn import Awgn
from semlink.phy.channels.output import check_channel_output
from semlink.plugins import adapted
from semlink.seeds import Seeds

EVERYTHING = ("source", "sensor", "reconstruction", "codec", "coding", "channel", "waveform")
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]
TWO = Seeds(3, (0, 1))
DIGEST = r", digest='[0-9a-f]*'"
"""Of the weights that a block holds: no option, but its numbers depend on it."""


def scene(clips: int = 2, side: int = 64) -> torch.Tensor:
    """Smooth moving waves (clip, t, h, w) in [0, 1]."""
    clip, t, y, x = torch.meshgrid(*(torch.arange(n) for n in (clips, FRAMES, side, side)), indexing="ij")
    return 0.5 + 0.4 * torch.sin((x + (clip + 1) * t) / 9.0) * torch.cos(y / 7.0)


def plain(value: Any) -> Iterator[Any]:
    """The tensors, arrays and numbers of a payload, one after the other, for comparison."""
    if isinstance(value, torch.Tensor):
        yield value.detach().cpu().numpy()
    elif isinstance(value, list | tuple):
        for part in value:
            yield from plain(part)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from plain(getattr(value, name))
    elif value is not None:
        yield value


def same(one: Any, other: Any) -> bool:
    first, second = list(plain(one)), list(plain(other))
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second))


def rebuilt(block: Any) -> Any:
    """What the block's `repr` makes, with the classes of the package and of the block's own file."""
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("semlink")]
    own = sys.modules[type(getattr(block, "_block", block)).__module__]
    known = {name: value for module in (*ours, own) for name, value in vars(module).items() if isinstance(value, type)}
    return eval(re.sub(DIGEST, "", repr(block)), known | {"inf": float("inf")})


# all


@pytest.mark.parametrize("block", found(*EVERYTHING))
def test_repr_names_all_that_a_block_is(block, tmp_path):
    """It rebuilds the block, and two blocks of the same options have the same."""
    made = block.build(tmp_path)
    assert repr(block.build(tmp_path)) == repr(made) and " at 0x" not in repr(made)
    assert repr(adapted(block.interface, rebuilt(made))) == repr(made)


@pytest.mark.parametrize("block", found(*EVERYTHING))
def test_a_block_is_pickled(block, tmp_path):
    made = block.build(tmp_path)
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is type(made) and repr(copy) == repr(made)


# sources, sensors, reconstructions


@pytest.mark.parametrize("block", found("source"))
def test_a_source_gives_the_same_clips_again(block, tmp_path):
    source, again = block.build(tmp_path), block.build(tmp_path)
    assert len(source) >= 1 and len({source.name(index) for index in range(len(source))}) == len(source)
    clips = [source.clip(index) for index in range(len(source))]
    for index, clip in enumerate(clips):
        assert clip.dtype == np.float32 and clip.ndim == 3 and clip.shape == clips[0].shape
        assert 0 <= clip.min() <= clip.max() <= 1
        assert np.array_equal(clip, source.clip(index)) and np.array_equal(clip, again.clip(index))
        assert again.name(index) == source.name(index)
        clip[:] = 0.25
        assert not np.array_equal(clip, source.clip(index)), "a clip that was written to came back"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("block", found("sensor"))
def test_a_sensor_reads_by_its_seeds(block, device, tmp_path):
    sensor, pixels = block.build(tmp_path), scene().to(device)
    frames = Frames(pixels.clone())
    readings = sensor.measure(frames, TWO)
    assert torch.equal(frames.pixels, pixels) and readings.frames == frames.shape
    assert same(readings, sensor.measure(frames, TWO))
    tensors = [readings.slots] if hasattr(readings, "slots") else list(readings.parts)
    assert all(part.dtype == torch.float32 and part.device.type == device for part in tensors)
    alone = sensor.measure(Frames(pixels[1:]), TWO.alone(1))
    theirs = [alone.slots] if hasattr(alone, "slots") else list(alone.parts)
    assert all(torch.allclose(a[1:], b, atol=1e-5) for a, b in zip(tensors, theirs))
    other = sensor.measure(frames, Seeds(3, (0, 1), 1))
    assert same(readings, other) or not sensor.is_noiseless
    assert sensor.measurements_per_pixel(frames.shape) > 0


@pytest.mark.parametrize("block", found("reconstruction"))
def test_a_reconstruction_depends_on_its_readings_alone(block, tmp_path):
    reconstruction, sensor = block.build(tmp_path), sensor_for(block.kind)
    readings = sensor.measure(Frames(scene(1)), Seeds(3))
    before = pickle.loads(pickle.dumps(readings))
    restored = reconstruction.reconstruct(readings)
    assert same(readings, before)
    assert restored.pixels.shape == (1, FRAMES, 64, 64) and restored.pixels.dtype == torch.float32
    assert 0 <= restored.pixels.min() <= restored.pixels.max() <= 1
    assert torch.equal(restored.pixels, reconstruction.reconstruct(before).pixels)
    (one,) = reconstruction.restore_many([readings])
    assert torch.allclose(one.frames.pixels, restored.pixels, atol=1e-4)


# codecs and codings


@pytest.mark.parametrize("block", found("codec"))
def test_a_codec_stays_below_its_budget_and_survives_losses(block, tmp_path):
    codec = block.build(tmp_path)
    clip = scene(1)[0].numpy()
    if codec.takes_readings:
        sensor = _trained_sensor()
        clip = sensor.measure(Frames(scene(1)), Seeds(3)).slots[0].numpy()
    kept, shape = clip.copy(), Frames(torch.from_numpy(clip[None])).shape
    packets = codec.encode(clip, max_bytes=6000)
    assert np.array_equal(clip, kept) and framed_size(packets) <= 6000
    assert packets == codec.encode(clip, max_bytes=6000)
    whole = codec.decode(packets, shape)
    out = (FRAMES, *clip.shape[1:]) if codec.gives_frames else clip.shape
    assert whole.shape == out and np.isfinite(whole).all()
    assert np.array_equal(whole, codec.decode(packets, shape))
    for arrived in ((), packets[:1], packets[1:], packets[::2]):
        damaged = codec.decode(arrived, shape)
        assert damaged.shape == out and np.isfinite(damaged).all()


def _trained_sensor() -> Any:
    """The sensor that codecs of readings were trained for."""
    from semlink.sensing.specs.programmable import ProgrammableSpec
    from semlink.spec import BuildContext

    learned = ProgrammableSpec(kind="programmable", ratio_map="learned", weights="sensor", mean_count=2.5)
    return learned.build(BuildContext(frames=FRAMES))


def random_blocks(sizes: tuple[int, ...]) -> list[bytes]:
    return [Seeds(5).numpy(f"block{number}").bytes(size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("block", found("coding"))
def test_a_coding_charges_what_it_sends(block, tmp_path):
    coding, uses = block.build(tmp_path), 4000
    if not isinstance(coding, CodingBase):
        pytest.skip("a bound sends nothing")
    blocks = random_blocks(coding.block_sizes(uses))
    flow = coding.send(blocks, uses)
    iq, ledger = flow.payload.iq, flow.ledger
    assert iq.shape == (1, uses) and iq.dtype == torch.complex64 and ledger.symbols == uses
    assert float(iq.abs().square().mean()) == pytest.approx(1, abs=0.05)
    assert ledger.spent_on("payload") == Fraction(8 * sum(map(len, blocks)), coding.bits_per_symbol)
    assert same(flow, coding.send(blocks, uses))


@pytest.mark.parametrize("block", found("coding"))
def test_a_coding_brings_its_blocks_back_or_says_that_it_lost_them(block, tmp_path):
    coding, uses = block.build(tmp_path), 4000
    if not isinstance(coding, CodingBase):
        pytest.skip("a bound sends nothing")
    blocks = random_blocks(coding.block_sizes(uses))
    iq = coding.send(blocks, uses).payload.iq
    clean = Received(iq, torch.full(iq.shape, 1e-3))
    kept = iq.clone()
    assert list(coding.receive(clean)) == blocks and torch.equal(clean.iq, kept)
    noise = Seeds(5).complex_normal("noise", uses)
    assert set(coding.receive(Received(noise, torch.full(iq.shape, 100.0)))) == {None}
    assert set(coding.receive(Received(torch.zeros_like(iq), torch.full(iq.shape, torch.inf)))) == {None}


@pytest.mark.parametrize("block", found("coding"))
def test_the_fewest_uses_of_a_coding_are_the_fewest(block, tmp_path):
    coding = block.build(tmp_path)
    if not isinstance(coding, CodingBase):
        pytest.skip("a bound has no blocks")
    for num_bytes in (1, 100, 1500):
        uses = coding.uses_for(num_bytes, per_block=2)
        assert sum(size - 2 for size in coding.block_sizes(uses)) >= num_bytes
        assert not _carries(coding, uses - 1, num_bytes)


def _carries(coding: CodingBase, uses: int, num_bytes: int) -> bool:
    from semlink.errors import Infeasible

    try:
        return sum(size - 2 for size in coding.block_sizes(uses)) >= num_bytes
    except Infeasible:
        return False


@pytest.mark.parametrize("block", found("coding"))
def test_a_bound_asks_no_more_uses_than_its_bits_came_from(block, tmp_path):
    bound = block.build(tmp_path)
    if not isinstance(bound, RateBoundBase):
        pytest.skip("not a bound")
    for uses in (500, 5000):
        bits = bound.bits(uses, 6.0, Awgn())
        assert 0 < bits < bound.bits(2 * uses, 6.0, Awgn())
        assert bound.uses(int(bits), 6.0, Awgn()) <= uses
    assert bound.bits(500, 6.0, Awgn()) <= bound.bits(500, 12.0, Awgn())


# the air


def symbols(count: int = 600, device: str = "cpu") -> torch.Tensor:
    """Random QPSK (2, count)."""
    signs = (TWO.uniform("symbols", count, 2) < 0.5).float() * 2 - 1
    return (torch.view_as_complex(signs.contiguous()) * 0.5**0.5).to(device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("block", found("channel"))
def test_a_channel_acts_by_its_seeds(block, device, tmp_path):
    channel, iq = block.build(tmp_path), symbols(device=device)
    heard = check_channel_output(channel(iq.clone(), 10.0, TWO), iq)
    assert heard.iq.dtype == iq.dtype and heard.iq.device.type == device
    given = iq.clone()
    assert same(heard, check_channel_output(channel(given, 10.0, TWO), iq)) and torch.equal(given, iq)
    assert not same(heard.iq, check_channel_output(channel(given, 10.0, Seeds(3, (0, 1), 1)), iq).iq)
    alone = check_channel_output(channel(iq[1:].clone(), 10.0, TWO.alone(1)), iq[1:])
    assert torch.allclose(alone.iq, heard.iq[1:], atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("block", found("waveform"))
def test_a_waveform_pays_for_what_it_adds(block, device, tmp_path):
    waveform = block.build(tmp_path).designed_for(Awgn())
    data = symbols(waveform.data_uses(2000), device)
    flow = Flow(Symbols(data.clone())).then(Symbols(data.clone()), Charge("test", "payload", data.shape[1]))
    air = waveform.modulate(flow)
    sent = air.payload.iq
    assert sent.shape[1] <= 2000 and air.ledger.symbols == sent.shape[1] and torch.equal(flow.payload.iq, data)
    assert sent.dtype == data.dtype and sent.device.type == device
    assert float(sent.abs().square().mean()) <= 1.1
    assert [waveform.data_uses(uses) for uses in range(0, 2000, 97)] == sorted(
        waveform.data_uses(uses) for uses in range(0, 2000, 97)
    )
    heard = ChannelOutput(sent.clone(), gain=torch.ones_like(sent))
    received = waveform.demodulate(heard, 60.0)
    back = received.iq[:, : data.shape[1]]
    assert torch.allclose(back, data, atol=0.02) and torch.equal(heard.iq, sent)
    assert back.device.type == device and bool((received.noise_var > 0).all())
    assert same(received, waveform.demodulate(heard, 60.0))


# schemes


@pytest.mark.parametrize("scheme", found_schemes())
def test_a_scheme_gives_the_same_row_again_and_pays_for_it(scheme, tmp_path):
    """A run holds each transmission against its ledger, and the receiver against what arrived; see `link/chain`."""
    scenario = scheme.scenario(tmp_path)
    rows = rows_of(scenario, tmp_path)
    assert rows_of(scenario, tmp_path, "--fresh") == rows
    out = tmp_path / "results/own"
    keys = Results(out).keys()
    receptions = [Receptions(out).read(key) for key in keys]
    for row, reception in zip(rows, receptions, strict=True):
        assert float(row["psnr_db"]) > 10
        assert (reception is None) == (not row["channel_uses"] or row["bound"] == "yes")
        if reception is not None:
            check_reception(reception, float(row["snr_db"]))
        if row["channel_uses"]:
            charged = sum(float(row[purpose]) for purpose in PURPOSES)
            assert charged == pytest.approx(float(row["channel_uses"]), abs=1e-3)
            assert charged <= float(row["budget"]) * FRAMES * 64 * 64
        else:
            assert float(row["measurements_per_pixel"]) > 0


def check_reception(found: Reception, snr_db: float) -> None:
    """What is kept of a reception over white noise: all symbols are there, blocks in their places."""
    assert found.symbols == sum(scatter.symbols for scatter in found.scatters)
    assert found.measured_db == pytest.approx(snr_db, abs=1.5) and found.asked_db == snr_db
    assert (found.blocks[:, 1] <= found.symbols + 1e-3).all() and (np.diff(found.blocks[:, 0]) >= 0).all()
    assert (found.fates == LOST).sum() == found.lost and len(found.blocks) >= min(found.told, 1)
    if found.llrs is not None:
        assert found.llrs.bits > 100 and found.llrs.wrong < 0.2
