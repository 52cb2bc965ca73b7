"""Clips that are read: video files, raw video, pictures, data sets."""
