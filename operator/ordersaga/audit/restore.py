"""Makes the resource of an order that has lost it again, from the order document.

An order document has the whole content of its resource. To the operator a resource with the same content is the same
order: every call is a replay, and the saga ends as the documents say.
"""

import json
from pathlib import Path

from common.order_saga import API_VERSION, KIND
from common.shop.order_spec import spec_of
from common.wire import Json
from ordersaga.audit.rules.records import Document


def manifest_of(order: Document, namespace: str) -> Json:
    """The OrderSaga whose content this order document has, ready for `kubectl apply -f`."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": order["order_id"], "namespace": namespace},
        "spec": spec_of(order),
    }


def write_manifest(folder: Path, order: Document, namespace: str) -> Path:
    """Write it as `{order_id}.json` (YAML is a superset of JSON); the file's path. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{order['order_id']}.json"
    path.write_text(json.dumps(manifest_of(order, namespace), indent=2) + "\n")
    return path
