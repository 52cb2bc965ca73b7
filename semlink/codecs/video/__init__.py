"""H.264, H.265, AV1 and learned image codecs."""
