"""May this attempt go on, who checks it, what came of it."""
