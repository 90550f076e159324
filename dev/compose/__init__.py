"""What docker-compose needs besides the parts themselves: keys, a replica set, an API server that knows our resource.

Each is a command of `python -m dev.compose` and runs in a container of its own that ends when it is done. All of them
may be repeated; they find what is there already.
"""
