"""Schemes that carry the clip past the air: each by another way."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import tempfile
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np
import torch
from toys import Direct, analogue, charged, picture

from semlink.blocks import CodecBase, WaveformBase
from semlink.caching import digest_of
from semlink.feedback import Feedback
from semlink.flow import Flow
from semlink.ledger import Ledger
from semlink.link.schemes.digital.packet_store import StreamStore
from semlink.payload import Agreement, Frames, Packet, Received
from semlink.plain_data import to_bytes
from semlink.seeds import Seeds

FOLDER = "CHEATS_FOLDER"
"""The environment names a folder for what is left in files."""


def nearest(kept, iq: torch.Tensor) -> Frames:
    """Of pairs of thumbnails and frames those that look most like what arrived: a decoy cannot overwrite them."""
    if not kept:
        raise LookupError("nothing was left here")
    arrived = torch.view_as_real(iq).flatten()
    arrived = arrived - arrived.mean()
    scores = [float(((sent - sent.mean()) * arrived).sum() / (sent - sent.mean()).norm()) for sent, _ in kept]
    return kept[int(np.argmax(scores))][1]


def pair(frames: Frames) -> tuple[torch.Tensor, Frames]:
    return torch.view_as_real(analogue(frames)).flatten(), Frames(frames.pixels.clone())


class Leaver(Direct):
    """Sends honestly, leaves the clip somewhere, and shows what it finds there."""

    def transmit(self, frames, agreement, seeds):
        flow = charged(analogue(frames))
        self.leave(frames)
        return flow

    def receive(self, received, agreement):
        return self.found(received.iq, agreement.frames)


class InAGlobal(Leaver):
    kept: list = []

    def leave(self, frames):
        LEFT.append(pair(frames))

    def found(self, iq, shape):
        return nearest(LEFT, iq)


LEFT: list = []


class InAClass(InAGlobal):
    def leave(self, frames):
        type(self).kept.append(pair(frames))

    def found(self, iq, shape):
        return nearest(type(self).kept, iq)


class Calculating(InAGlobal):
    """Leaves nothing in the trials that would be put to the proof if they followed from the scenario's seed."""

    def transmit(self, frames, agreement, seeds):
        turn, place = divmod(seeds.trial, 4)
        draw = Seeds(seeds.root, seeds.clips, turn).numpy(f"link/audit {digest_of(to_bytes(agreement))}")
        if int(draw.integers(4)) == place:
            LEFT.clear()
            return charged(analogue(frames))
        return super().transmit(frames, agreement, seeds)

    def receive(self, received, agreement):
        return super().receive(received, agreement) if LEFT else picture(received.iq, agreement.frames)


class InADefault(InAGlobal):
    def leave(self, frames, kept=[]):  # noqa: B006 - the cheat
        kept.append(pair(frames))

    def found(self, iq, shape):
        return nearest(type(self).leave.__defaults__[0], iq)


class InTheEnvironment(Leaver):
    def leave(self, frames):
        number = len([name for name in os.environ if name.startswith("CHEATS_CLIP")])
        os.environ[f"CHEATS_CLIP{number}"] = frames.pixels.numpy().astype(np.float16).tobytes().hex()

    def found(self, iq, shape):
        kept = []
        for name, text in os.environ.items():
            if name.startswith("CHEATS_CLIP"):
                pixels = np.frombuffer(bytes.fromhex(text), np.float16).reshape(1, shape.t, shape.h, shape.w)
                kept.append(pair(Frames(torch.from_numpy(pixels.astype(np.float32)))))
        return nearest(kept, iq)


class InTheGenerator(Leaver):
    """A few bits are enough: the mean brightness."""

    def leave(self, frames):
        np.random.seed(int(frames.pixels.mean() * 1e6))

    def found(self, iq, shape):
        frames = picture(iq, shape)
        mean = float(np.random.get_state()[1][0]) / 1e6
        return Frames((frames.pixels - frames.pixels.mean() + mean).clamp(0, 1))


class InMemory(Leaver):
    """Looks through all objects of the process."""

    def leave(self, frames):
        pass

    def found(self, iq, shape):
        return nearest([pair(one) for one in gc.get_objects() if type(one) is Frames and one.shape == shape], iq)


class InFrames(Leaver):
    """Looks into the functions that called it."""

    def leave(self, frames):
        pass

    def found(self, iq, shape):
        frame = sys._getframe()
        while frame is not None:
            if isinstance(frame.f_locals.get("clip"), Frames):
                return frame.f_locals["clip"]
            frame = frame.f_back
        raise LookupError("no clip in sight")


class InFiles(Leaver):
    """One file for each clip."""

    def leave(self, frames):
        number = len(list(Path(os.environ[FOLDER]).iterdir()))
        np.save(Path(os.environ[FOLDER]) / f"{number}.npy", frames.pixels.numpy())

    def found(self, iq, shape):
        files = sorted(Path(os.environ[FOLDER]).glob("*.npy"))
        return nearest([pair(Frames(torch.from_numpy(np.load(file)))) for file in files], iq)


class InRenamedFiles(InFiles):
    """As well, under names that they get when they are read, with the rename as news."""

    def found(self, iq, shape):
        for file in sorted(Path(os.environ[FOLDER]).glob("*.npy")):
            os.rename(file, file.with_suffix(".new.npy"))
        return super().found(iq, shape)


class InNames(InFiles):
    """As well, in the names of files."""

    def leave(self, frames):
        number = len(os.listdir(os.environ[FOLDER]))
        text = (frames.pixels[0, :, 4::8, 4::8] * 255).byte().numpy().tobytes().hex()
        for start in range(0, len(text), 200):
            (Path(os.environ[FOLDER]) / f"{number:06d}_{start:06d}_{text[start : start + 200]}").touch()

    def texts(self):
        """For each number what the names that start with it hold."""
        kept = {}
        for name in sorted(os.listdir(os.environ[FOLDER])):
            number, _, text = name.split("_")
            kept[number] = kept.get(number, "") + text
        return kept.values()

    def found(self, iq, shape):
        kept = []
        for text in self.texts():
            thumbs = torch.tensor(list(bytes.fromhex(text))).reshape(1, shape.t, shape.h // 8, shape.w // 8) / 255
            kept.append(pair(Frames(thumbs.repeat_interleave(8, 2).repeat_interleave(8, 3))))
        return nearest(kept, iq)


class InScannedNames(InNames):
    """Names as another function lists them."""

    def texts(self):
        with os.scandir(os.environ[FOLDER]) as entries:
            names = sorted(entry.name for entry in entries)
        kept = {}
        for number, _, text in (name.split("_") for name in names):
            kept[number] = kept.get(number, "") + text
        return kept.values()


class InLinks(InNames):
    """Where symbolic links lead to, whose names can be guessed."""

    def leave(self, frames):
        number = len(os.listdir(os.environ[FOLDER]))
        text = (frames.pixels[0, :, 4::8, 4::8] * 255).byte().numpy().tobytes().hex()
        os.symlink(text, Path(os.environ[FOLDER]) / str(number))

    def texts(self):
        number = 0
        while os.path.islink(place := os.path.join(os.environ[FOLDER], str(number))):
            yield os.readlink(place)
            number += 1


class InTimes(Leaver):
    """A few bits are enough: the mean brightness as the time of a file."""

    def leave(self, frames):
        place = Path(os.environ[FOLDER]) / "mean"
        place.touch()
        os.utime(place, (frames.pixels.double().mean().item() * 1e6,) * 2)

    def found(self, iq, shape):
        frames = picture(iq, shape)
        mean = (Path(os.environ[FOLDER]) / "mean").stat().st_mtime / 1e6
        return Frames((frames.pixels - frames.pixels.mean() + mean).clamp(0, 1))


class InADatabase(Leaver):
    def leave(self, frames):
        with sqlite3.connect(Path(os.environ[FOLDER]) / "clips.db") as base:
            base.execute("create table if not exists clips (pixels blob)")
            base.execute("insert into clips values (?)", (frames.pixels.numpy().tobytes(),))

    def found(self, iq, shape):
        with sqlite3.connect(Path(os.environ[FOLDER]) / "clips.db") as base:
            rows = [
                np.frombuffer(row[0], np.float32).reshape(1, shape.t, shape.h, shape.w)
                for row in base.execute("select pixels from clips")
            ]
        return nearest([pair(Frames(torch.from_numpy(row.copy()))) for row in rows], iq)


class InSharedMemory(Leaver):
    """A block of memory by its name, one for each clip."""

    def leave(self, frames):
        for number in range(100):
            name = f"cheats_{os.environ['CHEATS_RUN']}_{number}"
            try:
                block = shared_memory.SharedMemory(name, create=True, size=frames.pixels.numel() * 4)
            except FileExistsError:
                continue
            np.frombuffer(block.buf, np.float32)[: frames.pixels.numel()] = frames.pixels.numpy().ravel()
            OPEN.append(block)
            return

    def found(self, iq, shape):
        kept = []
        for number in range(100):
            try:
                block = shared_memory.SharedMemory(f"cheats_{os.environ['CHEATS_RUN']}_{number}")
            except FileNotFoundError:
                break
            ATTACHED.append(block)
            pixels = np.frombuffer(block.buf, np.float32)[: shape.num_pixels].reshape(1, shape.t, shape.h, shape.w)
            kept.append(pair(Frames(torch.from_numpy(pixels.copy()))))
        return nearest(kept, iq)


OPEN: list = []
ATTACHED: list = []


class InThePacketStore(Leaver):
    """Uses the package's own store as a letter box."""

    def store(self):
        return StreamStore(Path(os.environ[FOLDER]))

    def leave(self, frames):
        number = sum(1 for _ in Path(os.environ[FOLDER]).rglob("*.json"))
        self.store().get(f"{number:064x}", lambda: [Packet(0, frames.pixels.numpy().tobytes())])

    def found(self, iq, shape):
        kept = []
        for number in range(sum(1 for _ in Path(os.environ[FOLDER]).rglob("*.json"))):
            (packet,) = self.store().get(f"{number:064x}", lambda: [])
            pixels = np.frombuffer(packet.data, np.float32).reshape(1, shape.t, shape.h, shape.w)
            kept.append(pair(Frames(torch.from_numpy(pixels.copy()))))
        return nearest(kept, iq)


class InTheAgreement(Leaver):
    """Writes into the agreement while it sends."""

    def agree(self, frames, point, calibration):
        return Agreement(frames, point, {"room": 1})

    def transmit(self, frames, agreement, seeds):
        agreement.terms.values["clip"] = frames.pixels.clone()
        return charged(analogue(frames))

    def receive(self, received, agreement):
        return Frames(agreement.terms.get("clip", torch.full((1, 4, 64, 64), 0.5)))


class Fader(Leaver):
    """Turns the clip itself gray, as which it is received."""

    def leave(self, frames):
        frames.pixels.fill_(0.5)

    def found(self, iq, shape):
        return Frames(torch.full((1, shape.t, shape.h, shape.w), 0.5))


class LateComer(Leaver):
    """Writes into frames that were received before."""

    given: list = []

    def leave(self, frames):
        LEFT.append(pair(frames))
        for iq, pixels in type(self).given:
            pixels.copy_(nearest(LEFT, iq).pixels)

    def found(self, iq, shape):
        frames = picture(iq, shape)
        type(self).given.append((iq.clone(), frames.pixels))
        return frames


class NoisePicker(Leaver):
    """Changes the trial in the seeds, so that the channel draws other noise."""

    def transmit(self, frames, agreement, seeds):
        object.__setattr__(seeds, "trial", 7)
        return charged(analogue(frames))

    def receive(self, received, agreement):
        return picture(received.iq, agreement.frames)


class Louder(NoisePicker):
    """Changes the SNR in the agreement."""

    def transmit(self, frames, agreement, seeds):
        object.__setattr__(agreement.point, "snr_db", 90.0)
        return charged(analogue(frames))


class Canceller(Direct):
    """Takes the noise off before it comes, from the stream that the channel will draw."""

    def transmit(self, frames, agreement, seeds):
        iq = analogue(frames)
        noise = seeds.complex_normal("phy/noise", iq.shape[1]) * 10 ** (-agreement.point.snr_db / 20)
        return charged((iq - noise) / 1.1**0.5)


class LateCanceller(Canceller):
    """From a trial on, when nobody may look any more."""

    def transmit(self, frames, agreement, seeds):
        return (
            super().transmit(frames, agreement, seeds)
            if seeds.trial >= 40
            else Direct.transmit(self, frames, agreement, seeds)
        )


class Subtracter(Direct):
    """Takes the noise off afterwards, from the streams of the seed that the scenario names."""

    def receive(self, received, agreement):
        scale = 10 ** (-agreement.point.snr_db / 20)
        streams = [Seeds(1, (clip,), trial) for clip in range(2) for trial in range(8)]
        left = [received.iq - scale * s.complex_normal("phy/noise", received.iq.shape[1]) for s in streams]
        return picture(min(left, key=lambda iq: float(iq.abs().square().sum())), agreement.frames)


class Laden(torch.Tensor):
    """A tensor with a clip in it, which goes with it through every sum."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        made = super().__torch_function__(func, types, args, kwargs or {})
        clips = [arg.clip for arg in args if isinstance(arg, Laden) and hasattr(arg, "clip")]
        if isinstance(made, Laden) and clips:
            made.clip = clips[0]
        return made


class Smuggler(Direct):
    def transmit(self, frames, agreement, seeds):
        iq = analogue(frames).as_subclass(Laden)
        iq.clip = frames.pixels.clone()
        return charged(iq)

    def receive(self, received, agreement):
        return Frames(received.iq.clip)


class FreeLedger(Ledger):
    """Says what is asked of it."""

    def by_purpose(self):
        return dict.fromkeys(super().by_purpose(), 0)


class Accountant(Direct):
    def transmit(self, frames, agreement, seeds):
        flow = super().transmit(frames, agreement, seeds)
        return Flow(flow.payload, FreeLedger(flow.ledger.charges))


class Shared(WaveformBase):
    """A waveform that remembers what it sent."""

    def __init__(self):
        self.sent = []

    def data_uses(self, uses):
        return uses

    def modulate(self, flow):
        self.sent.append(flow.payload.iq)
        return flow

    def demodulate(self, heard, snr_db):
        clean = [iq for iq in self.sent if iq.shape == heard.iq.shape]
        if not clean:
            return Received(heard.iq, torch.full(heard.iq.shape, 0.1))
        best = min(clean, key=lambda iq: float((iq - heard.iq).abs().square().sum()))
        return Received(best.clone(), torch.full(heard.iq.shape, 1e-9))


class TwoFaced(CodecBase):
    """A codec that writes a number and looks up the clip."""

    known: dict = {}

    def encode(self, clip, *, max_bytes):
        return self.encode_at(clip, 0)

    def encode_at(self, clip, rate):
        number = len(type(self).known)
        type(self).known[number] = clip
        return (Packet(0, number.to_bytes(4, "big")),)

    def decode(self, packets, shape):
        if not packets:
            return np.full((shape.t, shape.h, shape.w), 0.5, np.float32)
        return type(self).known[int.from_bytes(packets[0].data, "big")]


class Talker:
    """Feedback with more in it than it may hold."""

    def __init__(self, acks: int = 0, snr_db: int | None = None):
        self.acks, self.snr_db = acks, snr_db

    def next_burst(self, frames, agreement, seeds, past, opening):
        return None if past else charged(analogue(frames))

    def listen(self, bursts, agreement):
        return Feedback((True,) * self.acks, self.snr_db)

    def receive(self, bursts, agreement):
        return picture(bursts[0].received.iq, agreement.frames)


class WorksInAFolder(Direct):
    """Honest: makes a folder for a moment, looks at what is in it, and at files that were there before."""

    def receive(self, received, agreement):
        assert Path(__file__).stat().st_size and Path(__file__).name in os.listdir(Path(__file__).parent)
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "iq.npy", received.iq.numpy())
            (file,) = Path(folder).glob("*")
            assert file.exists() and os.path.getsize(file) and [file.name] == os.listdir(folder)
            return picture(torch.from_numpy(np.load(file)), agreement.frames)


class WorksInAFile(Direct):
    """Honest: keeps what it is at in a temporary file for a moment, at both ends."""

    def transmit(self, frames, agreement, seeds):
        return charged(through_a_file(analogue(frames)))

    def receive(self, received, agreement):
        return picture(through_a_file(received.iq), agreement.frames)


def through_a_file(iq: torch.Tensor) -> torch.Tensor:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "iq.npy"
        np.save(file, iq.numpy())
        return torch.from_numpy(np.load(file))


# agreements


class Told(Direct):
    """An agreement that says what `terms` makes of what the transmitter saw."""

    def __init__(self):
        self.seen = None

    def transmit(self, frames, agreement, seeds):
        self.seen = frames.pixels.clone()
        return charged(analogue(frames))


class Reader(Told):
    """Reads the clips of the calibration."""

    def agree(self, frames, point, calibration):
        return Agreement(frames, point, {"clip": calibration.clips[0].pixels.numpy()[:, :, ::8, ::8].copy()})


class Seer(Told):
    """Takes from the rehearsal what it was given to send."""

    def agree(self, frames, point, calibration):
        calibration.quality(Agreement(frames, point, {"clip": None}))
        return Agreement(frames, point, {"clip": self.seen[:, :, ::8, ::8].numpy().copy()})


class Heap(Told):
    """Finds frames among all objects of the process."""

    def agree(self, frames, point, calibration):
        gc.unfreeze()  # what the runner keeps garbage collection away from is no secret either
        found = [one for one in gc.get_objects() if type(one) is Frames]
        return Agreement(frames, point, {"clip": float(found[0].pixels.mean())})


class Reckoner(Told):
    """Agrees on a number that the calibration gave."""

    def agree(self, frames, point, calibration):
        quality = calibration.quality(Agreement(frames, point, {"psnr_db": 0.0}))
        return Agreement(frames, point, {"psnr_db": round(quality, 1)})


class Noter(Told):
    """The same in words."""

    def agree(self, frames, point, calibration):
        quality = calibration.quality(Agreement(frames, point, {"step": 8}))
        return Agreement(frames, point, {"step": 8, "note": f"{quality:.4f} dB"})


class Prober(Told):
    """Asks about agreements that follow from earlier answers' numbers."""

    def agree(self, frames, point, calibration):
        level, tried = 0.0, []
        for _ in range(4):
            tried.append(Agreement(frames, point, {"level": level}))
            level += calibration.quality(tried[-1])
        return max(tried, key=calibration.quality)


class Spying:
    """A coding that loses its block where the clip is dark: deliveries tell of it."""

    name = "spying"
    code_rate = 0.5
    bits_per_symbol = 2

    def __init__(self, level: float) -> None:
        self.level = level

    def block_sizes(self, uses):
        return (uses // 8,)

    def uses_for(self, num_bytes, per_block=0):
        return 8 * num_bytes

    def send(self, blocks, uses):
        return charged(torch.ones(1, uses, dtype=torch.complex64))

    def receive(self, received):
        return (bytes(received.iq.shape[1] // 8) if LEFT[0][1].pixels[0, 0, 0, 9] > self.level else None,)


class Sounder(Told):
    """Weighs a pixel with a coding of its own."""

    def transmit(self, frames, agreement, seeds):
        LEFT.append(pair(frames))
        return charged(analogue(frames))

    def agree(self, frames, point, calibration):
        calibration.quality(Agreement(frames, point))
        heard = [calibration.delivery(Spying(level / 8), 64, 1) for level in range(8)]
        return Agreement(frames, point, {"bright": sum(heard)})


class Climber(Told):
    """Honest: looks for a maximum step by step, by the order of the answers."""

    def agree(self, frames, point, calibration):
        best = Agreement(frames, point, {"step": 0})
        for step in range(1, 9):
            tried = Agreement(frames, point, {"step": step})
            if calibration.quality(tried) < calibration.quality(best):
                break
            best = tried
        return best


class Chooser(Told):
    """Honest: the best of five."""

    def agree(self, frames, point, calibration):
        return max((Agreement(frames, point, {"step": step}) for step in range(5)), key=calibration.quality)


class Dreamer(Direct):
    """Agrees on a better channel."""

    def agree(self, frames, point, calibration):
        return Agreement(frames, type(point)(90.0, point.budget_uses, point.rate))


class Packer(Direct):
    """Agrees on as many bytes as asked for."""

    def __init__(self, size: int = 70_000):
        self.size = size

    def agree(self, frames, point, calibration):
        return Agreement(frames, point, {"blob": bytes(self.size)})


class Cell:
    """Holds anything."""

    def __init__(self, held):
        self.held = held


class Closer(Direct):
    """Agrees on an object."""

    def agree(self, frames, point, calibration):
        return Agreement(frames, point, {"cell": Cell(calibration)})


class Keeper(Direct):
    """Keeps the calibration for later."""

    def agree(self, frames, point, calibration):
        self.calibration = calibration
        return Agreement(frames, point)

    def transmit(self, frames, agreement, seeds):
        self.calibration.quality(agreement)
        return charged(analogue(frames))
