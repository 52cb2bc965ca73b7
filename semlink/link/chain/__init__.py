"""One clip from the source to the receiver's frames, and what makes sure that it went honestly."""
