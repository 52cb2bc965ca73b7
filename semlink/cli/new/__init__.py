"""`semlink new`: what it writes."""
