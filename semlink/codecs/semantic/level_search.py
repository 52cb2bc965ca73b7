"""Levels by search: the transmitter decodes what it would send at every level, and sees what each block gains.

All blocks of the clip are tried at the same level, over white noise of the
agreed SNR drawn at the transmitter; the error is that of the readings, since
the scene itself is not known there. It costs four runs of the decoder.

Source: this project; analysis by synthesis takes the place of the network of
[zhang2024crl, Sec. III-B.2].
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from semlink.codecs.readings_domain import normalise_readings
from semlink.codecs.semantic.codec import SemanticCodec
from semlink.codecs.semantic.interface import View
from semlink.codecs.semantic.level_choice import Scores
from semlink.codecs.semantic.networks import STRIDE
from semlink.codecs.semantic.rate_allocation import LEVELS, prefix_mask

SEARCHED_PRICES = (1e-4, 30.0)


def searched(codec: SemanticCodec, view: View, noise: torch.Tensor, per_level: int) -> Scores:
    """Minus the error of each block beside the clip's mean error, less the price of the level.

    What `view` has seen are its symbols; `noise` holds standard normals of their shape (1, 48, rows, columns).
    """
    symbols, counts, snr_db = view.seen, view.counts, view.snr_db
    x = normalise_readings(view.slots, counts)
    errors = []
    for level in range(1, LEVELS + 1):
        sent = prefix_mask(torch.full((1, *symbols.shape[2:]), level * per_level))
        power = (symbols.square() * sent).sum() / sent.sum() * 10 ** (-snr_db / 10)
        arrived = sent * (symbols + power.sqrt() * noise)
        found = codec.decode(arrived, sent, power.expand_as(symbols), snr_db, counts)
        off = (normalise_readings(found, counts) - x).square().sum(1, keepdim=True)
        h, w = off.shape[2:]
        off = F.pad(off, (0, -w % STRIDE, 0, -h % STRIDE))
        errors.append(F.avg_pool2d(off, STRIDE)[0, 0])
    table = torch.stack(errors)
    table = table / table.mean()
    levels = torch.arange(1.0, LEVELS + 1)[:, None, None]
    return lambda log_price: -(table + math.exp(log_price) * levels)
