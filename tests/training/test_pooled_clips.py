"""Clips from the pool of a device: they follow from the step alone, and are windows of what was drawn."""

import numpy as np
import torch
from test_tokens_training import made_up_pack

from semlink.training.tokens.clip_settings import TokenClipSettings
from semlink.training.tokens.device_clips import DeviceClips
from semlink.training.tokens.pooled_clips import LARGER, SHEET, SLOWER, PooledClips

SOME = (slice(None, None, 3), slice(None, None, 3), slice(None, None, 3))
SETTINGS = TokenClipSettings(pool=7, margin=8, still_share=0.7)


def pooled(settings: TokenClipSettings = SETTINGS) -> PooledClips:
    return PooledClips(made_up_pack(), settings, 32, 5, torch.device("cpu"))


def test_a_batch_depends_on_the_step_alone_also_after_sheets_gave_way():
    one, other, later = pooled(), pooled(), SLOWER * 3
    for step in (0, 1, later):
        clips = one.batch(step, 4)
        assert clips.shape == (4, 16, 32, 32) and clips.min() >= 0 and clips.max() <= 1
    assert torch.equal(other.batch(later, 4), one.batch(later, 4)), "whatever was drawn before"
    assert not torch.equal(one.batch(0, 4), one.batch(1, 4))


def test_one_sheet_gives_way_at_a_time():
    clips = pooled()
    clips.batch(0, 1)
    before = list(clips.numbers)
    clips.batch(SLOWER * SETTINGS.renewal, 1)
    assert len(before) == LARGER * SETTINGS.pool // SHEET
    assert sum(a != b for a, b in zip(before, clips.numbers)) == 1


def test_a_clip_is_a_window_of_one_that_was_drawn_turned_and_dimmed():
    clips, step = pooled(), 2
    shown = clips.batch(step, 1)
    whole = DeviceClips(made_up_pack(), SETTINGS, 32 + clips.margin, 5, torch.device("cpu"))
    drawn = torch.cat([whole.batch(number, SHEET) for number in clips.numbers])
    for clip in shown:
        assert min(nearest(clip, kept) for kept in drawn) < 0.004


def nearest(clip: torch.Tensor, kept: torch.Tensor) -> float:
    """Root mean square error of the best window, mirror, turn, direction and light of `kept`, at some of its pixels."""
    best = np.inf
    for times in (kept, kept.flip(0)):
        for turned in (times, times.transpose(1, 2)):
            for mirrored in (turned, turned.flip(1), turned.flip(2), turned.flip(1, 2)):
                windows = mirrored.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
                windows, some = windows[:, *SOME], clip[SOME]
                light = (windows * some).sum((1, 2, 3)) / windows.square().sum((1, 2, 3)).clamp_min(1e-9)
                error = (windows * light[:, None, None, None] - some).square().mean((1, 2, 3)).sqrt()
                best = min(best, float(error.min()))
    return best
