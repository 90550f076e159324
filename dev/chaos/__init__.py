"""Chaos: many orders on a stack of its own, while its parts are killed and its calls disturbed; then an audit.

Everything that is going to happen is a plan, and the plan is a pure function of a seed (docs/chaos.md).
"""
