"""Opening a video file, and nothing else than that file.

FFmpeg tells formats by their content, and some are lists of other files or of addresses: such a file, whatever it is
called, could read what lies elsewhere or ask the network. They are refused by name, and FFmpeg may use the protocol of
plain files alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import av

from semlink.errors import SourceError
from semlink.files import as_file

__all__ = ["open_container"]

LISTS = frozenset({".m3u", ".m3u8", ".pls", ".xspf", ".asx", ".wpl", ".mpd", ".ism", ".ffconcat", ".concat", ".sdp"})
FORMATS = frozenset({"hls", "applehttp", "concat", "dash", "imf", "sdp", "rtsp", "rtp", "image2", "avs", "vapoursynth"})
"""Formats of FFmpeg that open other files or addresses."""
LOOKED_AT = 4096
_LIST = re.compile(
    rb"\s*(#EXTM3U|ffconcat\s|\[playlist\]|<\?xml|<\?wpl|v=0\r?\n|#!AVIS|\w+://"
    rb"|<(MPD|asx|playlist|smil|SmoothStreaming|AssetMap|CompositionPlaylist)\b)",
    re.IGNORECASE,
)
FILES_ONLY = {"protocol_whitelist": "file"}


def open_container(path: Path) -> av.container.InputContainer:
    """A video file, open for reading.

    Raises:
        SourceError: a playlist.
        OSError, av.FFmpegError: FFmpeg cannot read it.
    """
    with as_file(path).open("rb") as file:
        if path.suffix.lower() in LISTS or _LIST.match(file.read(LOOKED_AT).removeprefix(b"\xef\xbb\xbf")):
            raise _is_a_list(path)
    container = av.open(str(path.absolute()), options=FILES_ONLY)  # an absolute path is never a protocol's name
    if FORMATS & set(container.format.name.split(",")):
        container.close()
        raise _is_a_list(path)
    return container


def _is_a_list(path: Path) -> SourceError:
    return SourceError(
        f"{path}: is a playlist, which names other files or addresses; allowed: videos, which source.path may list"
    )
