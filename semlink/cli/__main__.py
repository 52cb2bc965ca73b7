"""`python -m semlink.cli`."""

from semlink.cli.commands import main

main()
