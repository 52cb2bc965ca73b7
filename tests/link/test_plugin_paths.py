"""User classes of every interface run from a file at the first try."""

from __future__ import annotations

import csv
import textwrap
from pathlib import Path

import pytest

from semlink.link.scenario.loader import load_scenario
from semlink.link.sweep.plan import Job, plan
from semlink.link.sweep.run import run
from semlink.link.sweep.shown import picture_of

SOURCE = "{kind: scenes, clips: 1, frames: 4, size: [32, 32]}"

BLOCKS = '''
"""Blocks of a user, written from the documentation alone."""
import torch

from semlink.feedback import Feedback
from semlink.flow import Flow
from semlink.ledger import Charge, Ledger
from semlink.payload import Agreement, Delivered, Frames, Measurement, Restored, Symbols


class Shutter:
    """Keeps the first `rate` frames of a clip."""

    def __init__(self, rate: float = 1, frames: int = 0):
        assert frames == 4
        self.kept = int(rate)

    def measure(self, frames, seeds):
        _, t, h, w = frames.pixels.shape
        return Measurement(frames.pixels[:, : self.kept], torch.full((h, w), self.kept), frames.shape)


class Plain:
    """As CONTRIBUTING has it: measure, and nothing else."""

    def measure(self, frames, seeds):
        noise = 0.01 * seeds.normal("sensor/plain", *frames.pixels.shape[1:])
        _, t, h, w = frames.pixels.shape
        return Measurement(frames.pixels + noise, torch.full((h, w), t), frames.shape)


class Turned(Plain):
    """Offers its rates by a method."""

    def __init__(self, kept: int = 1):
        self.kept = kept

    def at_rate(self, rate):
        return Turned(int(rate))

    def measure(self, frames, seeds):
        _, t, h, w = frames.pixels.shape
        return Measurement(frames.pixels[:, : self.kept], torch.full((h, w), self.kept), frames.shape)


class Repeat:
    """The readings, the last one repeated; it wants its sensor."""

    def __init__(self, sensor):
        self.sensor = sensor

    def reconstruct(self, measurement):
        assert self.sensor.measurements_per_pixel(measurement.frames) == float(measurement.counts.float().mean())
        slots, t = measurement.slots, measurement.frames.t
        last = slots[:, -1:].expand(-1, t - slots.shape[1], -1, -1)
        return Frames(torch.cat([slots, last], 1).clamp(0, 1))


def thumbs(frames):
    small = frames.pixels[:, :, 4::8, 4::8].reshape(1, -1) - 0.5
    iq = torch.view_as_complex(small.reshape(1, -1, 2).contiguous())
    return iq / iq.abs().square().mean().sqrt()


def picture(iq, shape):
    small = torch.view_as_real(iq).reshape(1, shape.t, shape.h // 8, shape.w // 8) * 0.3 + 0.5
    return Frames(small.repeat_interleave(8, 2).repeat_interleave(8, 3).clamp(0, 1).float())


class TwoBursts:
    """The scheme of docs/how_to/feedback.md: the same symbols again if they came through a weak channel."""

    def agree(self, frames, point, rehearsal):
        return Agreement(frames, point, {"bursts": 2})

    def next_burst(self, frames, agreement, seeds, past, opening):
        if len(past) == agreement.terms["bursts"] or (past and past[-1].feedback.acks[0]):
            return None
        symbols = Symbols(thumbs(frames))
        return Flow(symbols).then(symbols, Charge("mine", "payload", symbols.iq.shape[1]))

    def listen(self, bursts, agreement):
        return Feedback((len(bursts) == agreement.terms["bursts"],))

    def receive(self, bursts, agreement):
        return picture(sum(burst.received.iq for burst in bursts) / len(bursts), agreement.frames)


class Perfect:
    """A bound: everything arrives, for a symbol a pixel."""

    def ideal(self, frames, agreement, channel, seeds):
        return frames, Ledger().spend(Charge("mine", "payload", frames.shape.num_pixels))


class Eye:
    """A scheme that only senses: gray where it sees nothing."""

    def measurements_per_pixel(self, agreement):
        return agreement.point.rate or 0.0

    def sense(self, clips, agreement, seeds, progress):
        level = agreement.point.rate or 0.0
        return [Restored(Frames((0.5 + level * (clip.pixels - 0.5)).float())) for clip in clips]


class Rooms:
    """A coding of before version 0.2: uncoded QPSK without a CRC, its block sizes called rooms."""

    bits_per_symbol = 2
    code_rate = 1.0

    def rooms(self, uses):
        return (uses // 4,)

    def send(self, blocks, uses):
        bits = torch.tensor([[byte >> n & 1 for n in range(7, -1, -1)] for byte in blocks[0]]).reshape(-1)
        bits = torch.nn.functional.pad(bits, (0, 2 * uses - len(bits)))
        iq = torch.view_as_complex((1.0 - 2.0 * bits).reshape(1, uses, 2)) * 0.5**0.5
        return Flow(Symbols(iq)).then(Symbols(iq), Charge("mine", "payload", uses))

    def receive(self, received):
        bits = (torch.view_as_real(received.iq).reshape(-1) < 0).long()
        count = received.iq.shape[1] // 4
        rows = bits[: 8 * count].reshape(count, 8).tolist()
        return (bytes(int("".join(map(str, row)), 2) for row in rows),)
'''


def rows_of(folder: Path, schemes: str, head: str = "") -> list[dict[str, str]]:
    """The rows of a scenario with these schemes, in a folder with the user's blocks."""
    (folder / "mine.py").write_text(BLOCKS)
    file = folder / "toy.yaml"
    text = f"name: toy\nsource: {SOURCE}\ntrials: {{min: 1, max: 1}}\n{textwrap.dedent(head)}schemes:\n"
    file.write_text(text + textwrap.indent(textwrap.dedent(schemes), "  "))
    run(Job(load_scenario(file), folder / "out", folder))
    with (folder / "out" / "curves.csv").open() as lines:
        return list(csv.DictReader(lines))


AIR = """
channel: {kind: awgn}
sweep: {snr_db: [20]}
"""


@pytest.mark.parametrize("sensor", ["Shutter", "Turned"])
def test_rates_reach_a_users_sensor(tmp_path, sensor):
    scheme = f"{{name: s, kind: sensing, sensor: {{kind: 'mine.py:{sensor}'}}, rates: [1, 2, 4], "
    rows = rows_of(tmp_path, "- " + scheme + "reconstruction: {kind: 'mine.py:Repeat'}}\n")
    assert [float(row["measurements_per_pixel"]) for row in rows] == [1, 2, 4]
    quality = [float(row["psnr_db"]) for row in rows]
    assert quality[0] < quality[1] < quality[2]


def test_a_sensor_with_nothing_but_measure_is_counted(tmp_path):
    scheme = "- {name: s, kind: sensing, sensor: {kind: 'mine.py:Plain'}, reconstruction: {kind: 'mine.py:Repeat'}}\n"
    (row,) = rows_of(tmp_path, scheme)
    assert float(row["measurements_per_pixel"]) == 4
    assert abs(float(row["psnr_db"]) - 40) < 0.5  # noise of 0.01, hardly clipped


def test_a_feedback_scheme_of_a_user_loads_from_a_file(tmp_path):
    (row,) = rows_of(tmp_path, "- {name: two, kind: 'mine.py:TwoBursts', rates: [1]}\n", AIR)
    assert float(row["channel_uses"]) == 2 * 4 * 16 / 2  # both bursts: 4 frames of 4 x 4 thumbnails, two to a symbol
    assert "feedback without error or charge: 2.0 bits a clip" in row["note"]


def test_a_bound_of_a_user_loads_from_a_file(tmp_path):
    (row,) = rows_of(tmp_path, "- {name: all, kind: 'mine.py:Perfect', rates: [1]}\n", AIR)
    assert row["bound"] == "yes"
    assert float(row["channel_uses"]) == 4 * 32 * 32 and float(row["trials"]) == 1
    assert float(row["psnr_db"]) >= 99


def test_a_sensing_scheme_of_a_user_needs_no_channel(tmp_path):
    rows = rows_of(tmp_path, "- {name: eye, kind: 'mine.py:Eye', rates: [0, 0.5]}\n")
    assert [float(row["measurements_per_pixel"]) for row in rows] == [0, 0.5]
    assert float(rows[1]["psnr_db"]) - float(rows[0]["psnr_db"]) == pytest.approx(6.02, abs=0.01)


def test_a_sensing_scheme_of_a_user_beside_others_says_that_it_sends_nothing(tmp_path):
    schemes = "- {name: eye, kind: 'mine.py:Eye', rates: [0.5], sends: false}\n"
    schemes += "- {name: all, kind: 'mine.py:Perfect', rates: [1]}\n"
    eye, bound = rows_of(tmp_path, schemes, AIR)
    assert eye["snr_db"] == "" and bound["snr_db"] == "20"


def test_a_coding_that_calls_its_block_sizes_rooms_still_runs(tmp_path):
    scheme = "- {name: c, kind: digital, codec: {kind: h264}, coding: {kind: 'mine.py:Rooms'}}\n"
    (row,) = rows_of(tmp_path, scheme, "channel: {kind: awgn}\nsweep: {snr_db: [30], budget: [0.5]}\n")
    assert float(row["psnr_db"]) > 25 and float(row["channel_uses"]) <= 0.5 * 4 * 32 * 32


SENSED = "sensor: {kind: programmable, ratio_map: tiled, tile: [[1, 2], [4, 1]]}, reconstruction: {kind: initial}"


@pytest.mark.parametrize(
    "scheme",
    [
        "{name: s, kind: digital, codec: {kind: h264}, coding: {kind: uncoded}, %s}",
        "{name: s, kind: digital, codec: {kind: h264}, coding: {kind: capacity}, %s}",
        "{name: s, kind: softcast, %s}",
        "{name: s, kind: sensing, %s}",
    ],
)
def test_ratio_maps_of_schemes_behind_a_sensor_are_found(tmp_path, scheme):
    file = tmp_path / "toy.yaml"
    source = "{kind: scenes, clips: 1, frames: 16, size: [32, 32]}"
    head = f"name: toy\nsource: {source}\nchannel: {{kind: awgn}}\nsweep: {{snr_db: [20], budget: [0.2]}}\n"
    file.write_text(head + "schemes:\n  - " + scheme % SENSED + "\n")
    made = plan(Job(load_scenario(file), tmp_path / "out", tmp_path))
    picture = picture_of(made.runner.link(made.tasks[0].point), made.runner.clips, made.tasks[0], 1, (), None)
    assert picture.mean_count == 2 and picture.counts is not None
    assert picture.counts[:2, :2].tolist() == [[1, 2], [4, 1]]
