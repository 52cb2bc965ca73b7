"""What Python callers use, re-exported by `semlink`; the command line calls nothing else."""
