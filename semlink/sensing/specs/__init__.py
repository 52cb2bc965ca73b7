"""What a scenario may say about sources, sensors and reconstructions."""
