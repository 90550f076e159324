"""`kubectl saga create`: place an order as a resource, as a manifest in Git would."""

import argparse
from typing import Any, Final

from common.order_saga import API_VERSION, KIND
from ordersaga.saga.cluster import Cluster
from ordersaga.saga.output import Output, clean

EPILOG: Final = """\
example: two mugs at 12.50 EUR each, and the manifest of the same

  kubectl saga create o-1042 --customer c-17 --item p-mug=2@1250 --method test-ok --address a-17
  kubectl saga create o-1042 --customer c-17 --item p-mug=2@1250 --method test-ok --address a-17 --dry-run -o yaml"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    parser = commands.add_parser(
        "create",
        help="place an order",
        description="Place an order by what the services keep under these references.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("order", metavar="ORDER", help="its id: never used before")
    parser.add_argument("--customer", metavar="ID", required=True)
    parser.add_argument(
        "--item",
        metavar="PRODUCT=N@PRICE",
        type=item_of,
        action="append",
        required=True,
        help="N units at PRICE minor units each (1250 is 12.50 EUR), the catalogue's; once for each product",
    )
    parser.add_argument("--currency", metavar="CODE", default="EUR")
    parser.add_argument(
        "--method", metavar="REF", required=True, help="of the payment, as the payment service keeps it"
    )
    parser.add_argument("--address", metavar="REF", required=True, help="as the shipping service keeps it")
    parser.add_argument("--contact", metavar="REF", help="as the notification service keeps it (the customer's id)")
    parser.add_argument("--dry-run", action="store_true", help="ask the API server whether it would take it")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="show the resource")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, cluster: Cluster, output: Output) -> int:
    """Create it; 0 if the API server took it."""
    made = manifest(options, cluster.access.namespace)
    created = cluster.post(cluster.sagas(), made, dry_run=options.dry_run)
    if options.output:
        output.machine(options.output, made if options.dry_run else clean(created))
        return 0
    would = "would be placed" if options.dry_run else f"placed: `kubectl saga watch {options.order}` follows it"
    output.say(f"{options.order}: {would}")
    return 0


def manifest(options: argparse.Namespace, namespace: str) -> dict[str, Any]:
    """The resource that these options mean."""
    spec: dict[str, Any] = {
        "orderID": options.order,
        "customerID": options.customer,
        "currency": options.currency,
        "items": options.item,
        "payment": {"methodRef": options.method},
        "shipTo": {"addressRef": options.address},
    }
    if options.contact:
        spec["notify"] = {"contactRef": options.contact}
    metadata = {"name": options.order, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}


def item_of(text: str) -> dict[str, Any]:
    """`p-mug=2@1250`."""
    product, _, rest = text.partition("=")
    quantity, _, price = rest.partition("@")
    if not product or not quantity.isascii() or not quantity.isdigit() or not price.isascii() or not price.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: write PRODUCT=N@PRICE, such as p-mug=2@1250")
    return {"productID": product, "quantity": int(quantity), "unitPriceMinor": int(price)}
