# %% [markdown]
# # A first curve from Python
#
# One scenario, one run, one figure, and what the numbers mean. No files are needed: the clips are built-in moving scenes.

# %%
import matplotlib.pyplot as plt

import semlink

scenario = semlink.load(
    {
        "name": "first_curve",
        "source": {"kind": "scenes", "clips": 3, "frames": 8, "size": [128, 128]},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": [4, 7, 8, 10, 13, 16], "budget": 0.03},  # Es/N0; channel uses per source pixel
        "trials": {"min": 8, "max": 8},
        "schemes": [
            {
                "name": "H.264, 16-QAM 1/2",
                "kind": "digital",
                "codec": {"kind": "h264"},
                "coding": {"kind": "ldpc", "modulation": "16qam", "rate": "1/2"},
            },
            {
                "name": "H.264, best MCS",
                "kind": "digital",
                "codec": {"kind": "h264"},
                "coding": {"kind": "ldpc", "mcs": "best"},
            },
            {"name": "SoftCast", "kind": "softcast"},
        ],
    }
)
results = semlink.run(scenario)

# %% [markdown]
# ## The curve
#
# Every scheme had the same number of channel uses and met the same noise. The fixed coding falls off a cliff: below it no
# block arrives. The best MCS is chosen for each SNR before the run. SoftCast sends amplitudes and has no cliff; where the
# channel is good, bits are worth more.

# %%
results.plot("snr")

# %% [markdown]
# ## One point, in numbers

# %%
(point,) = [row for row in results.table(pandas=False) if row["scheme"] == "H.264, best MCS" and row["snr_db"] == 10]
print(f"{point['psnr_db']:.2f} dB")
print(
    f"  +- {point['psnr_ci95']:.2f} with other noise on these clips, +- {point['psnr_clips_ci95']:.2f} with other clips"
)
print(
    f"{point['channel_uses']:.0f} channel uses a clip, {point['channel_uses_per_pixel']:.4f} a pixel; {point['note']}"
)
for purpose in ("payload", "parity", "crc", "header", "pilot", "side_info", "retransmission"):
    print(f"  {purpose:<15}{point[purpose]:8.0f}")

# %% [markdown]
# The list is the ledger: what the channel uses were spent on. It adds up to what reached the antenna, or the run fails.
#
# The first interval reckons with losses that were never seen. Nothing was lost in 24 transmissions, which still leaves room
# for a loss in eight, so a clean point of a short run has a wide interval. More trials narrow it; the second interval
# only shrinks with more clips.

# %% [markdown]
# ## What was received
#
# Any point can be looked at. `frames` sends the clip once more, with the noise of that trial.

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(results.source(clip=1)[4], cmap="gray", vmin=0, vmax=1)
axes[0].set_title("source")
for axis, scheme in zip(axes[1:], ("H.264, 16-QAM 1/2", "SoftCast"), strict=True):
    axis.imshow(results.frames(scheme=scheme, snr_db=7, clip=1, trial=0)[4], cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{scheme}, 7 dB")
for axis in axes:
    axis.axis("off")

# %% [markdown]
# ## Against a reference
#
# Differences are taken clip by clip and trial by trial, on the same noise, before anything is averaged.

# %%
comparison = results.compare("SoftCast")
for entry in comparison.points:
    if entry.row.scheme == "H.264, best MCS" and entry.gap is not None:
        print(f"{entry.row.snr_db:4.0f} dB: {entry.gap.mean:+.2f} +- {entry.gap.clips_ci95:.2f} dB over clips")

# %% [markdown]
# The same on the command line: write the scenario as YAML and say `semlink run`, `semlink compare`, `semlink report`.
