"""Programs of others that judge what is shipped: kubeconform, kube-linter, promtool, the Operator SDK, actionlint."""
