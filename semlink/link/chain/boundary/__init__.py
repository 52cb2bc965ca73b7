"""What makes sure that a receiver knows nothing but the agreement and what arrived."""
