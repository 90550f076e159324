"""`kubectl saga`: see and steer the orders of an installation, with the viewer's own kubeconfig and rights.

It starts in a moment: what isn't needed for a command isn't imported, neither the operator's engine nor the services'.
"""
