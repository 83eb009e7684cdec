"""The front door: the `isthmus` command, settings files, logging, the demo. It wires the rooms together."""
