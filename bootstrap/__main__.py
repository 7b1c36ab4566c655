"""``python -m bootstrap``: the command ``topicdesk`` where no script is installed."""

from bootstrap.cli import main

main(prog_name="topicdesk")
