"""The fields of a log line about a saga: the same as in the services' lines (docs/logs.md)."""

from saga_operator.resource.body import Resource
from saga_operator.resource.trace.place import trace_id_of


def about(resource: Resource) -> dict[str, str]:
    """`saga`, `order`, `correlation_id` and `trace_id` of its saga, whether or not that is traced."""
    return {
        **about_name(resource.namespace, resource.name),
        "correlation_id": resource.correlation_id,
        "trace_id": f"{trace_id_of(resource.uid, resource.traceparent):032x}",
    }


def about_name(namespace: str, name: str) -> dict[str, str]:
    """What is known of a saga whose resource isn't at hand."""
    return {"saga": f"{namespace}/{name}", "order": name}
