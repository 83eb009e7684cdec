"""Stand-ins for services that cannot be had here. Each refuses whatever the real one refuses."""
