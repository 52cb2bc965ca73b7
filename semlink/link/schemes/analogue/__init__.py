"""SoftCast."""
