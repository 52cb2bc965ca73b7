"""The small convolutional DeepJSCC of Bourtsoulatze et al. (2019): two networks, and how they are trained.

schemes:
  - name: DeepJSCC
    kind: model
    encoder: {network: docs/examples/models/deepjscc.py:Encoder, checkpoint: docs/examples/models/deepjscc.safetensors}
    decoder: {network: docs/examples/models/deepjscc.py:Decoder, checkpoint: docs/examples/models/deepjscc.safetensors}

Train one of your own on a folder of pictures:

    python docs/examples/models/deepjscc.py my/pictures --minutes 10 --out my_jscc.safetensors

Source: [bourtsoulatze2019, Fig. 2]; five convolutions on each side, strides 2, 2, 1, 1, 1. No code of theirs.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Encoder(nn.Module):
    """Frames (batch, planes, h, w) in [0, 1] to real numbers (batch, channels, h / 4, w / 4), two for each symbol."""

    def __init__(self, planes=1, channels=4):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(planes, 16, 5, 2, 2), nn.PReLU()),
            *(nn.Conv2d(16, 32, 5, 2, 2), nn.PReLU()),
            *(nn.Conv2d(32, 32, 5, 1, 2), nn.PReLU()),
            *(nn.Conv2d(32, 32, 5, 1, 2), nn.PReLU()),
            nn.Conv2d(32, channels, 5, 1, 2),
        )

    def forward(self, frames):
        return self.layers(frames - 0.5)


class Decoder(nn.Module):
    """What arrived, in the shape in which it was sent, to frames in [0, 1]."""

    def __init__(self, planes=1, channels=4):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.ConvTranspose2d(channels, 32, 5, 1, 2), nn.PReLU()),
            *(nn.ConvTranspose2d(32, 32, 5, 1, 2), nn.PReLU()),
            *(nn.ConvTranspose2d(32, 32, 5, 1, 2), nn.PReLU()),
            *(nn.ConvTranspose2d(32, 16, 5, 2, 2, output_padding=1), nn.PReLU()),
            *(nn.ConvTranspose2d(16, planes, 5, 2, 2, output_padding=1), nn.Sigmoid()),
        )

    def forward(self, symbols):
        return self.layers(symbols)


def through_the_air(numbers, snr_db):
    """Real numbers as a run sends them: average power 1 a complex symbol, noise 10^(-snr_db/10), half in each part."""
    power = numbers.square().mean(dim=(1, 2, 3), keepdim=True)  # of a real part: 1/2 each
    sent = numbers * (0.5 / power).sqrt()
    return sent + torch.randn_like(sent) * (0.5 * 10 ** (-snr_db / 10)).sqrt()


def train(pictures, minutes, planes=1, channels=4, side=64, batch=16, seed=1):
    """Encoder and decoder after so many minutes on random cuts of `pictures` (arrays (planes, h, w) in [0, 1])."""
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    encoder, decoder = Encoder(planes, channels), Decoder(planes, channels)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(weights, lr=2e-3)
    began, step, losses = time.process_time(), 0, []
    while (share := (time.process_time() - began) / (60 * minutes)) < 1:
        cuts = []
        for _ in range(batch):
            picture = pictures[chance.integers(len(pictures))]
            y, x = (chance.integers(size - side + 1) for size in picture.shape[1:])
            cut = picture[:, y : y + side, x : x + side]
            cuts.append(cut[:, :, ::-1].copy() if chance.random() < 0.5 else cut)
        frames = torch.from_numpy(np.stack(cuts)).float()
        snr_db = torch.from_numpy(chance.uniform(0, 20, (batch, 1, 1, 1))).float()
        errors = (decoder(through_the_air(encoder(frames), snr_db)) - frames).square().mean(dim=(1, 2, 3))
        loss = (errors + 1e-5).log().mean()  # quality is reported as a mean of PSNRs
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * share))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        losses.append(-10 / np.log(10) * loss.item())
        step += 1
        if step % 500 == 0:
            print(f"{share:4.0%}, step {step}: {np.mean(losses[-500:]):.2f} dB in training", flush=True)
    return encoder, decoder, step


def main():
    from PIL import Image
    from safetensors.torch import save_file

    ask = argparse.ArgumentParser()
    ask.add_argument("folder", type=Path)
    ask.add_argument("--minutes", type=float, default=10)
    ask.add_argument("--out", type=Path, default=Path("my_jscc.safetensors"))
    given = ask.parse_args()
    files = sorted(
        path for path in given.folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
    )
    pictures = [np.asarray(Image.open(path).convert("L"), np.float32)[None] / 255 for path in files]
    encoder, decoder, steps = train([p for p in pictures if min(p.shape[1:]) >= 64], given.minutes)
    parts = {"encoder": encoder, "decoder": decoder}
    tensors = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    save_file(tensors, given.out)
    print(f"{given.out}: {steps} steps on {len(pictures)} pictures")


if __name__ == "__main__":
    main()
