"""The `isthmus` command, settings files, logging. It wires the packages together."""
