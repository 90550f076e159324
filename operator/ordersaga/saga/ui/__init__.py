"""The page: `kubectl saga ui` on this machine, and behind a proxy in a cluster. It has no rights, its viewers have."""
