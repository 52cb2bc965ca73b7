"""Random projections of whole frames, and reconstruction from a latent path."""
