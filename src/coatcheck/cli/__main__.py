"""`python -m coatcheck.cli` is `coatcheck`."""

from coatcheck.cli import main

main()
