"""How names of files with pictures end."""

from __future__ import annotations

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
VIDEOS = frozenset(
    [".mp4", ".mkv", ".y4m", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".flv", ".wmv"]
    + [".ogv", ".264", ".h264", ".avc", ".265", ".h265", ".hevc", ".ivf", ".obu", ".gif", ".nut", ".mxf", ".3gp"]
)
RAW_SUFFIXES = frozenset({".yuv", ".raw", ".gray", ".y"})
