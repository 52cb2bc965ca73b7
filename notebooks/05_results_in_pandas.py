# %% [markdown]
# # Results in pandas
#
# Where pandas is installed, `table` and `clips` are DataFrames. A small run to read from:

# %%
import numpy as np

import semlink

coding = {"kind": "ldpc", "modulation": "qpsk", "rate": "1/2"}
results = semlink.run(
    {
        "name": "in_pandas",
        "source": {"kind": "scenes", "clips": 4, "frames": 8, "size": [96, 96]},
        "channel": {"kind": "rayleigh", "coherence": "block"},  # one gain for a whole clip
        "sweep": {"snr_db": [4, 8, 12, 16], "budget": 0.08},
        "trials": {"min": 16, "max": 16},
        "schemes": [
            {"name": "H.264", "kind": "digital", "codec": {"kind": "h264"}, "coding": coding},
            {"name": "H.265", "kind": "digital", "codec": {"kind": "h265"}, "coding": coding},
            {"name": "SoftCast", "kind": "softcast"},
        ],
    }
)

# %% [markdown]
# ## One row a point
#
# The columns are those of `curves.csv`.

# %%
table = results.table()
table.pivot(index="snr_db", columns="scheme", values="psnr_db").round(2)

# %%
table.pivot(index="snr_db", columns="scheme", values=["bler", "outage"]).round(3)

# %% [markdown]
# ## One row a clip and trial

# %%
clips = results.clips()
clips.groupby(["scheme", "motion", "clip"])["psnr_db"].mean().unstack("scheme").round(2)

# %% [markdown]
# ## Paired differences by hand
#
# All schemes met the same fading in the same trial. So take the difference in each trial first, and average then.

# %%
wide = clips.pivot(index=["snr_db", "clip", "trial"], columns="scheme", values="psnr_db")
gap = wide["H.265"] - wide["H.264"]
print(gap.groupby("snr_db").mean().round(2).to_string())

# %% [markdown]
# What pairing is worth: the spread of each scheme beside the spread of the difference. Both codecs lose the same trials.

# %%
spread = wide.groupby("snr_db").std()
spread["H.265 - H.264"] = gap.groupby("snr_db").std()
spread.round(2)

# %% [markdown]
# `compare` has the same means, with intervals that know of clips and of losses that were not seen.

# %%
by_hand = gap.groupby("snr_db").mean()
for point in results.compare("H.264").points:
    if point.row.scheme == "H.265":
        mean = by_hand[point.row.snr_db]
        print(
            f"{point.row.snr_db:4.0f} dB: {point.gap.mean:+.2f} dB +- {point.gap.clips_ci95:.2f}, by hand {mean:+.2f}"
        )
        assert np.isclose(point.gap.mean, mean, atol=0.005)

# %% [markdown]
# ## How a mean hides two kinds of trial
#
# Over slow fading a transmission arrives or it does not. On the right are the four clips as H.264 codes them, on the left what is
# shown in the place of lost ones, and nothing is between. So say how often a transmission arrives beside any mean.

# %%
chosen = clips[(clips.scheme == "H.264") & (clips.snr_db == 8)]["psnr_db"]
axes = chosen.plot.hist(bins=24, figsize=(7, 3))
axes.axvline(chosen.mean(), color="black", linestyle="dashed")
axes.set_xlabel("PSNR of a clip in a trial [dB], H.264 at 8 dB; dashed: the mean")
axes.grid(alpha=0.3)
