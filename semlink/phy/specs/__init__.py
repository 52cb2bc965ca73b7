"""What a scenario may say about channels, waveforms and codings."""
