"""What figures of numbers show: rows sorted into curves and panels, before anything is drawn."""
