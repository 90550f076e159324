"""The local stack: a real control plane, a real MongoDB, the five services and the operator, without containers."""
