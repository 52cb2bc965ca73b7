"""What a generative fit costs, and what bf16 and the early stop change.

    python benchmarks/gmlr.py speed     [--epochs 100]     time of 2000 epochs, for one and for ten sequences
    python benchmarks/gmlr.py precision [--epochs 2000]    PSNR with hidden layers and patterns in bf16 and in float32
    python benchmarks/gmlr.py stop      [--epochs 2000]    PSNR and epochs with the early stop and without

Turning digits drawn from fonts; generator `gmlr_digits`, weights and codes
together unless said otherwise, 80 % of the pixels missing (`--operator`,
`--measurements` for others). Times are processor time, which depends less
than the clock on what else runs, and the clock; threads as the environment says.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch

from semlink.nn.generative.generator_weights import generator_of
from semlink.nn.generative.latent_fit import Fit, FitSettings, fit, hidden_dtype
from semlink.payload import Frames
from semlink.seeds import Seeds
from semlink.sensing.random_projections.sensor import RandomSensor
from semlink.sensing.sources.synthetic.digits import DigitSource

FULL = 2000


def sequences(count: int, motion: str) -> Frames:
    source = DigitSource(motion=motion, clips=count, frames=32 if motion == "rotating" else 20)
    return Frames(torch.from_numpy(np.stack([source.clip(n) for n in range(count)])))


def fitted(frames: Frames, sensor: RandomSensor, settings: FitSettings, weights: str) -> tuple[Fit, float, float]:
    """The fit, and how long it took: processor and clock, in seconds."""
    operator = sensor.operators(frames.shape, hidden_dtype(settings.precision))
    readings = sensor.measure(frames, Seeds(0)).parts[0].view(len(frames.pixels), -1, operator.num_readings)
    started, clock = time.process_time(), time.perf_counter()
    made = fit(generator_of(weights, 1), operator, readings, settings)
    return made, time.process_time() - started, time.perf_counter() - clock


def psnr_db(made: Fit, frames: Frames) -> list[float]:
    error = (made.pixels() - frames.pixels.flatten(2)).square().mean((1, 2))
    return [round(float(x), 2) for x in -10 * error.log10()]


def speed(args: argparse.Namespace, sensor: RandomSensor, settings: FitSettings) -> None:
    settings, times = replace(settings, stop=None), {}
    for count in (1, 10):
        frames = sequences(count, args.motion)
        fitted(frames, sensor, replace(settings, epochs=3), args.weights)
        _, busy, clock = fitted(frames, sensor, settings, args.weights)
        times[count] = busy
        scale = FULL / settings.epochs
        print(
            f"{count:2d} sequence{'s' if count > 1 else ' '} of {frames.shape.t} frames: "
            f"{1e3 * busy / settings.epochs:.1f} ms an epoch, {FULL} epochs {scale * busy:.0f} s of processor, "
            f"{scale * clock:.0f} s by the clock ({settings.epochs} epochs measured, {torch.get_num_threads()} threads)"
        )
    print(f"ten sequences take {times[10] / times[1]:.1f} times as long as one")


def precision(args: argparse.Namespace, sensor: RandomSensor, settings: FitSettings) -> None:
    frames = sequences(args.clips, args.motion)
    for name in ("float32", "bf16"):
        made, busy, _ = fitted(frames, sensor, replace(settings, precision=name, stop=None), args.weights)
        print(f"{name:8s} {psnr_db(made, frames)} dB, {busy:.0f} s of processor")


def stop(args: argparse.Namespace, sensor: RandomSensor, settings: FitSettings) -> None:
    frames = sequences(args.clips, args.motion)
    for name, rule in (("early stop", settings.stop), ("to the end", None)):
        made, busy, _ = fitted(frames, sensor, replace(settings, stop=rule), args.weights)
        print(f"{name}: {psnr_db(made, frames)} dB after {made.epochs.tolist()} epochs, {busy:.0f} s of processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "precision", "stop"))
    parser.add_argument("--epochs", type=int, help=f"default: 100 for speed, else {FULL}")
    parser.add_argument("--clips", type=int, default=1)
    parser.add_argument("--motion", choices=("rotating", "bouncing"), default="rotating")
    parser.add_argument("--weights", default="gmlr_digits")
    parser.add_argument("--learn", choices=("latent", "joint"), default="joint")
    parser.add_argument("--operator", choices=("identity", "gaussian", "missing"), default="missing")
    parser.add_argument("--measurements", type=int, default=200)
    args = parser.parse_args()
    sensor = RandomSensor(args.operator, measurements=args.measurements)
    settings = FitSettings(learn=args.learn, epochs=args.epochs or (100 if args.what == "speed" else FULL))
    {"speed": speed, "precision": precision, "stop": stop}[args.what](args, sensor, settings)


if __name__ == "__main__":
    main()
