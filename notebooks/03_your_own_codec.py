# %% [markdown]
# # A codec of your own
#
# A codec turns a clip into packets and back. The scheme cuts packets into transport blocks, codes and sends them; what is
# lost never reaches the decoder, which has to make a picture of the rest. This one is a still-picture codec in thirty lines:
# cosines of 8 x 8 blocks, one quantiser, and zlib.

# %%
import zlib

import numpy as np
from scipy.fft import dctn, idctn

import semlink
from semlink.codecs.packetization import framed_size
from semlink.errors import Infeasible
from semlink.payload import Packet

EDGE = 8
ORDER = np.add.outer(np.arange(EDGE), np.arange(EDGE)).ravel().argsort(kind="stable")  # from low to high frequencies


class Cosines:
    """Each frame by itself, one packet a frame; `keep` frequencies of each block."""

    def __init__(self, keep: int = 20):
        self.keep = keep

    def encode(self, clip, *, max_bytes):
        for step in 2.0 ** np.arange(-6, 1, 0.5):
            packets = self.encode_at(clip, step)
            if framed_size(packets) <= max_bytes:
                return packets
        raise Infeasible(f"Cosines: {framed_size(packets)} bytes are needed, {max_bytes} are there")

    def encode_at(self, clip, rate):
        t, h, w = clip.shape
        blocks = clip.reshape(t, h // EDGE, EDGE, w // EDGE, EDGE).swapaxes(2, 3)
        waves = dctn(blocks - 0.5, axes=(3, 4), norm="ortho").reshape(t, -1, EDGE * EDGE)[:, :, ORDER[: self.keep]]
        levels = np.clip(np.round(waves / rate), -127, 127).astype(np.int8)
        head = np.float32(rate).tobytes()
        return tuple(
            Packet(time, head + zlib.compress(np.ascontiguousarray(frame.T).tobytes(), 9))
            for time, frame in enumerate(levels)
        )

    def decode(self, packets, shape):
        frames = np.full((shape.t, shape.h, shape.w), 0.5, np.float32)
        rows, columns = shape.h // EDGE, shape.w // EDGE
        for packet in packets:
            step = np.frombuffer(packet.data[:4], np.float32)[0]
            levels = np.frombuffer(zlib.decompress(packet.data[4:]), np.int8).reshape(self.keep, rows * columns).T
            waves = np.zeros((rows * columns, EDGE * EDGE), np.float32)
            waves[:, ORDER[: self.keep]] = levels * step
            blocks = idctn(waves.reshape(rows, columns, EDGE, EDGE), axes=(2, 3), norm="ortho")
            picture = blocks.swapaxes(1, 2).reshape(shape.h, shape.w) + 0.5
            frames[packet.time :] = picture.clip(0, 1)  # shown until the next frame that arrives
        return frames


# %% [markdown]
# ## Beside H.264
#
# The same LDPC and QAM carry both. A budget asks `encode` for the best packets that fit, and refuses what does not.

# %%
ldpc = {"kind": "ldpc", "modulation": "16qam", "rate": "1/2"}
results = semlink.run(
    {
        "name": "own_codec",
        "source": {"kind": "scenes", "clips": 3, "frames": 8, "size": [128, 128]},
        "channel": {"kind": "awgn"},
        "sweep": {"snr_db": 10, "budget": [0.03, 0.06, 0.12, 0.24]},
        "trials": {"min": 4, "max": 4},
        "schemes": [
            {"name": "cosines", "kind": "digital", "codec": {"kind": Cosines}, "coding": ldpc},
            {"name": "cosines, 10 of 64", "kind": "digital", "codec": {"kind": Cosines, "keep": 10}, "coding": ldpc},
            {"name": "H.264, key frames only", "kind": "digital", "codec": {"kind": "h264", "gop": 1}, "coding": ldpc},
            {"name": "H.264", "kind": "digital", "codec": {"kind": "h264"}, "coding": ldpc},
        ],
    }
)
results.plot("cost")

# %%
for row in results.table(pandas=False):
    quality = f"{row['psnr_db']:.2f} dB" if row["psnr_db"] is not None else row["note"]
    print(f"{row['scheme']:<24}{row['budget']:6.2f} uses a pixel: {quality}")

# %% [markdown]
# The distance to H.264 has two parts, and the third curve tells them apart. A better entropy coder and prediction within the
# frame are worth about 2 dB, prediction from frame to frame 6 to 10 dB. So motion is where a codec of your own should begin.
#
# In a file of its own the class is named as `codec: {kind: my_codec.py:Cosines, keep: 20}`, and
# `semlink new codec my_codec.py` writes a skeleton to begin with.
