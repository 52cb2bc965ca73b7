"""The delta-sigma codec: binary maps from a noise-shaping modulator."""
