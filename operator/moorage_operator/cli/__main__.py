"""`python -m moorage_operator.cli`, the same as `moorage`."""

from moorage_operator.cli import main

main()
