# %% [markdown]
# # A channel of your own, with its check
#
# A channel is a class with one method. It gets symbols, an SNR and streams of chance, and returns what the receive antenna
# picks up. This one loses symbols, as an interferer that drowns them would, and the first version has a mistake.

# %%
import semlink
from semlink.phy.conformance.examine import check


class Dropouts:
    """White noise, and a share of the symbols that is not heard at all."""

    def __init__(self, share: float = 0.02):
        self.share = share

    def __call__(self, iq, snr_db, seeds):
        noise = seeds.complex_normal("dropouts/noise", iq.shape[1]) * 10 ** (-snr_db / 10)
        lost = seeds.uniform("dropouts/lost", iq.shape[1]) < self.share
        return iq * ~lost + noise


# %% [markdown]
# ## The check
#
# `check` sends probes and examines power, noise, fading, chance and gradients. On the command line it is
# `semlink check-channel my_channel.py:Dropouts`.

# %%
report = check(Dropouts())
for name in report.failed:
    print(f"{name}: {report[name].measured}, expected {report[name].expected}")
print("passed" if report.passed else "failed")

# %% [markdown]
# The noise has amplitude 10^(-snr/10) where its *variance* should be that. So at 10 dB it is 10 dB too weak, and every scheme
# would have looked better than it is. With 20 in the place of 10:


# %%
class MendedDropouts(Dropouts):
    """The same, with noise of the right power."""

    def __call__(self, iq, snr_db, seeds):
        noise = seeds.complex_normal("dropouts/noise", iq.shape[1]) * 10 ** (-snr_db / 20)
        lost = seeds.uniform("dropouts/lost", iq.shape[1]) < self.share
        return iq * ~lost + noise


report = check(MendedDropouts())
print(len(report.checks), "checks,", "passed" if report.passed else "failed")

# %% [markdown]
# ## Curves over it
#
# The class goes where a scenario has a `kind`; its options stand beside it, and a `name` for figures and tables. A list of
# channels is met one after the other.

# %%
results = semlink.run(
    {
        "name": "own_channel",
        "source": {"kind": "scenes", "clips": 2, "frames": 8, "size": [128, 128]},
        "channel": [{"kind": "awgn"}, {"kind": MendedDropouts, "share": 0.1, "name": "a tenth is lost"}],
        "sweep": {"snr_db": [7, 8, 9, 10, 12, 14], "budget": 0.03},
        "trials": {"min": 8, "max": 8},
        "schemes": [
            {
                "name": "16-QAM 2/3",
                "kind": "digital",
                "codec": {"kind": "h264"},
                "coding": {"kind": "ldpc", "modulation": "16qam", "rate": "2/3"},
            },
            {
                "name": "16-QAM 1/2",
                "kind": "digital",
                "codec": {"kind": "h264"},
                "coding": {"kind": "ldpc", "modulation": "16qam", "rate": "1/2"},
            },
            {"name": "SoftCast", "kind": "softcast"},
        ],
    }
)
results.plot("snr")

# %%
for row in results.table(pandas=False):
    if row["snr_db"] in (9, 12):
        place = f"{row['snr_db']:.0f} dB, {row['channel']}"
        print(f"{place:<24}{row['scheme']:<12}{row['psnr_db']:6.2f} dB, {row['bler']:6.1%} of blocks lost")

# %% [markdown]
# The receiver does not know which symbols are missing, so a lost one counts as a strong wrong one. At rate 2/3 no SNR mends
# that. Rate 1/2, which arrived at 7 dB, needs 10 dB. SoftCast has no code to break: it loses 1 to 2 dB everywhere.
