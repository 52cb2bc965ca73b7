# %% [markdown]
# # A figure of a paper again
#
# `results/fig13` of the repository is our run of figure 13 of paper 001: learned schemes against video codecs and SoftCast, all
# behind the same sensor, at 10 dB. The clips cannot be shipped. The points can, so everything below needs only the folder.

# %%
import matplotlib.pyplot as plt
import numpy as np

import semlink

results = semlink.results("../results/fig13")
print(results.manifest["points"], "points, made by commit", results.manifest["commit"][:10])

# %% [markdown]
# ## The curves, drawn our own way
#
# `results.plot("cost")` draws them too. By hand one chooses what to show: here three digital schemes, and three that send
# amplitudes.

# %%
table = results.table()
digital = ["Compr+LDPC", "Video+AV1+LDPC", "Video+H.264+LDPC"]
amplitudes = ["SemCom", "Sensordata+JSCC", "SoftCast"]
figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
for schemes, style in ((digital, "o-"), (amplitudes, "s--")):
    for name in schemes:
        rows = table[(table.scheme == name) & table.psnr_db.notna()]
        axes.plot(rows.channel_uses, rows.psnr_db, style, label=name, markersize=4)
axes.set(xscale="log", xlabel="complex channel uses a clip", ylabel="PSNR [dB]")
axes.set_xticks([2000, 4000, 8000, 16000], ["2k", "4k", "8k", "16k"], minor=False)
axes.minorticks_off()
axes.legend()
axes.grid(alpha=0.3)

# %% [markdown]
# ## How sure
#
# The clips differ by many decibels, so intervals over clips of each curve would hide everything. Differences on the same
# clips and noise do not:

# %%
comparison = results.compare("Video+H.264+LDPC")
for point in comparison.points:
    if point.row.scheme in ("Compr+LDPC", "SemCom") and point.gap is not None:
        low, high = point.gap.mean - point.gap.clips_ci95, point.gap.mean + point.gap.clips_ci95
        told = "above" if low > 0 else "below" if high < 0 else "open"
        print(
            f"{point.row.scheme:<11} {point.row.budget:.4f}: {point.gap.mean:+.2f} dB, [{low:+.2f}, {high:+.2f}]: {told}"
        )

# %% [markdown]
# ## Where the symbols went

# %%
purposes = ["payload", "parity", "crc", "header", "side_info"]
point = table[(table.budget == 0.012) & table.psnr_db.notna()].set_index("scheme")
share = point[purposes].div(point.channel_uses, axis=0)
left = np.zeros(len(share))
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for purpose in purposes:
    axes.barh(share.index, share[purpose], left=left, label=purpose)
    left = left + share[purpose].to_numpy()
axes.set_xlabel("share of the channel uses, at 0.012 uses a pixel")
axes.legend(ncols=5, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2))
axes.grid(alpha=0.3)

# %% [markdown]
# A quarter of what a digital scheme sends here is parity. SemCom has none but for its map, which says how many symbols each
# block gets and is paid for like everything else.
#
# To compute the figure with clips of your own:
# `semlink run scenarios/fig13.yaml --set source.path='my/clips/*.mkv'`.
