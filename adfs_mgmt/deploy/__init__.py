"""New servers: a farm, a node, a proxy; and taking one away.

What belongs here: preflight checks, the plan, its steps and the cleaning up after a failed attempt.
"""
