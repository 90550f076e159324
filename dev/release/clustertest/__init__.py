"""`make cluster-test`: the chart on a real cluster, from installation to uninstallation, with orders on their way."""
