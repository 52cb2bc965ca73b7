"""What channels do to symbols, and what they can carry at best.

Source: [shannon1948, theorem 17], [ungerboeck1982, sec. III], [goldsmith1997, eq. (34)], [tse2005, sec. 5.4.1],
[clarke1968, autocorrelation], [jakes1974, level crossings], [3gpp38901, tables 7.7.2-1 to 7.7.2-5].
"""

from __future__ import annotations

import math

from scipy import special

from semlink.link.validate.entry import Entry, Rule, exactly
from semlink.link.validate.measures.channels import Capacity, Clarke, Echo, GainLaw, NoisePower, TdlProfile

__all__ = ["CARRIED_BY_16QAM", "ENTRIES", "LAST_DELAYS"]

CARRIED_BY_16QAM = {7.0: 2.44, 8.0: 2.69, 9.0: 2.92, 10.0: 3.16}
"""Bits a channel use by Es/N0 in dB."""
LAST_DELAYS = {"A": 9.6586, "B": 4.7834, "C": 8.6523, "D": 12.525, "E": 20.6519}
MEAN_DELAYS = {"A": 0.8877, "B": 0.7694, "C": 0.7289, "D": 0.1695, "E": 0.1829}
"""Of the profiles' tables, in units of the delay spread; the mean weighs with the power."""
LINE_OF_SIGHT_DB = {"D": 8.98, "E": 9.27}
"""Of the first path's steady part over all else, from the tables' powers."""
CLARKE = Clarke(0.01, (5, 10, 20, 38), 0.5)
QUICK_ECHOES = "A"


def _capacities() -> list[Entry]:
    snr, outage = 10.0, 1 - math.exp(-3 / 10)
    closed = exactly("a closed form", 1e-9)
    rayleigh = math.exp(1 / snr) * float(special.exp1(1 / snr)) / math.log(2)
    entries = [
        Entry("capacity/awgn-10db", "capacity of noise at 10 dB", 3.459, "bit", exactly("digits told", 0.0005),
              "[shannon1948, theorem 17]", Capacity("shannon", 10.0)),
        Entry("capacity/rayleigh-10db", "ergodic capacity of Rayleigh fading at 10 dB", rayleigh, "bit", closed,
              "[goldsmith1997, eq. (34)]", Capacity("rayleigh", 10.0)),
        Entry("capacity/outage-10db", "chance that 2 bits a use do not pass a Rayleigh block at 10 dB", outage, "",
              closed, "[tse2005, sec. 5.4.1]", Capacity("outage", 10.0, rate=2.0)),
        Entry("capacity/qpsk-limit", "bits a use of QPSK at the Shannon limit of rate 1/2, Eb/N0 0.187 dB", 1.0, "bit",
              exactly("digits told", 0.0005), "[proakis2008, limit of binary inputs]", Capacity("cm", 0.187, 2)),
        Entry("capacity/qpsk-limit-by-bits", "the same, decoded bit by bit: nothing is lost", 1.0, "bit",
              exactly("digits told", 0.0005), "[caire1998, sec. III]", Capacity("bicm", 0.187, 2)),
    ]  # fmt: skip
    for snr_db, theirs in CARRIED_BY_16QAM.items():
        entries.append(
            Entry(f"capacity/16qam-{snr_db:g}db", f"bits a use of 16-QAM at {snr_db:g} dB", theirs, "bit",
                  exactly("read from a curve", 0.01), "[ungerboeck1982, sec. III]", Capacity("cm", snr_db, 4))
        )  # fmt: skip
    return entries


def _noise_and_gains() -> list[Entry]:
    closed, law = exactly("a closed form"), GainLaw()
    entries = [
        Entry(f"channels/noise/{snr_db:g}db", f"power of the noise at an SNR of {snr_db:g} dB, over the signal's",
              0.0 - snr_db, "dB", closed, "[proakis2008, Es/N0]", NoisePower(snr_db))
        for snr_db in (0.0, 10.0, 25.0)
    ]  # fmt: skip
    entries += [
        Entry("channels/noise/real-part", "share of the noise in the real part", 0.5, "", closed,
              "[proakis2008, circular noise]", NoisePower(0.0), "real"),
        Entry("channels/rayleigh/power", "mean power of a Rayleigh gain", 1.0, "", closed, "[proakis2008]", law,
              "power"),
        Entry("channels/rayleigh/fourth", "fourth moment of a Rayleigh gain", 2.0, "", closed, "[proakis2008]", law,
              "fourth"),
        Entry("channels/rayleigh/fades", "how often a Rayleigh gain is 10 dB below its mean", 1 - math.exp(-0.1), "",
              closed, "[proakis2008]", law, "below"),
        Entry("channels/rician/power", "mean power of a Rician gain, K = 3", 1.0, "", closed, "[simon2005]",
              GainLaw(3.0), "power"),
        Entry("channels/rician/fourth", "fourth moment of a Rician gain, K = 3", 1 + (2 * 3 + 1) / 16, "", closed,
              "[simon2005]", GainLaw(3.0), "fourth"),
    ]  # fmt: skip
    return entries


def _clarke() -> list[Entry]:
    why = "64 waves stand for all"
    entries = [
        Entry(f"channels/clarke/lag-{lag}", f"correlation of a gain over {lag} symbols at a Doppler of 0.01, J0",
              float(special.j0(2 * math.pi * CLARKE.doppler * lag)), "", Rule(0.002, 0.002, why),
              "[clarke1968, autocorrelation]", CLARKE, f"lag {lag}")
        for lag in CLARKE.lags
    ]  # fmt: skip
    crossings = math.sqrt(2 * math.pi) * CLARKE.doppler * CLARKE.level * math.exp(-(CLARKE.level**2))
    entries.append(
        Entry("channels/clarke/crossings", "upward crossings a symbol of half the mean amplitude, Doppler 0.01",
              crossings, "", Rule(0.02 * crossings, 0.02 * crossings, "a sample a symbol misses the shortest fades"),
              "[jakes1974, level crossing rate]", CLARKE, "crossings")
    )  # fmt: skip
    return entries


def _profiles() -> list[Entry]:
    entries = []
    for profile, last in LAST_DELAYS.items():
        table, source = TdlProfile(profile), "[3gpp38901, tables 7.7.2-1 to 7.7.2-5]"  # type: ignore[arg-type]
        echo = Echo(profile)  # type: ignore[arg-type]
        head, cost = f"channels/tdl-{profile.lower()}", "quick" if profile in QUICK_ECHOES else "full"
        entries += [
            Entry(f"{head}/last-delay", f"last delay of TDL-{profile} over the delay spread", last, "",
                  exactly("a table", 1e-4), source, table, "last"),
            Entry(f"{head}/spread", f"delay spread of TDL-{profile} over the one asked for", 1.0, "",
                  exactly("the table's own rounding", 0.01), source, table, "spread"),
            Entry(f"{head}/power", f"power of all paths of TDL-{profile}", 0.0, "dB", exactly("a table", 0.01), source,
                  table, "power"),
            Entry(f"{head}/heard-power", f"power that an antenna hears through TDL-{profile}", 0.0, "dB",
                  exactly("a law"), source, echo, "power", cost=cost),  # type: ignore[arg-type]
            Entry(f"{head}/heard-delay", f"mean delay of an impulse through TDL-{profile} over the delay spread",
                  MEAN_DELAYS[profile], "", exactly("the sinc's ends", 0.02), source, echo, "delay",
                  cost=cost),  # type: ignore[arg-type]
        ]  # fmt: skip
        if profile in LINE_OF_SIGHT_DB:
            entries.append(
                Entry(f"{head}/line-of-sight", f"line of sight of TDL-{profile} over all else",
                      LINE_OF_SIGHT_DB[profile], "dB", exactly("digits told", 0.01), source, table, "k")
            )  # fmt: skip
    return entries


ENTRIES = (*_capacities(), *_noise_and_gains(), *_clarke(), *_profiles())
