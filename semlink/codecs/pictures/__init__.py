"""Codecs of single pictures: JPEG, JPEG 2000, WebP, AVIF and JPEG XL, each frame of a clip by itself."""
