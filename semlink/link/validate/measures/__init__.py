"""How ours is measured: frozen parameters and one call, which runs the code that scenarios run."""
