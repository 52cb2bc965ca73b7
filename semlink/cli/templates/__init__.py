"""Skeletons of blocks, each a file that runs as it stands; `semlink new` copies them."""
