"""Points computed: in this process, or by workers that end whenever it does."""
