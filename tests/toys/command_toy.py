"""A codec that is run from the command line, and ways in which one fails: mode, input, output, quality."""

import os
import sys
import time
import zlib
from pathlib import Path

mode, source, target, quality = sys.argv[1:5]
data = Path(source).read_bytes()
written = None
if mode == "enc":
    q = int(float(quality))
    written = zlib.compress(bytes(b // q for b in data)) + bytes([q])
elif mode == "dec":
    written = bytes(min(255, b * data[-1] + data[-1] // 2) for b in zlib.decompress(data[:-1]))
elif mode == "png":
    written = data
elif mode == "env":
    written = repr(sorted(os.environ)).encode()
elif mode == "fail":
    sys.exit("\x1b[31mno such luck")
elif mode == "hang":
    os.fork()
    time.sleep(900)
elif mode == "much":
    written = bytes(10_000_000)
elif mode == "short":
    written = data[:100]
if written is not None:
    Path(target).write_bytes(written)
