"""`python -m semlink.cli`."""

from semlink.cli.entry import main

main()
