"""The names of the OrderSaga resource at the API server, as crds/ordersaga.yaml defines them."""

from typing import Final

GROUP: Final = "ordersaga.io"
VERSION: Final = "v1alpha1"
PLURAL: Final = "ordersagas"
KIND: Final = "OrderSaga"
API_VERSION: Final = f"{GROUP}/{VERSION}"
FINALIZER: Final = f"{GROUP}/compensation"
"""Keeps a deleted resource until its saga has ended and nothing of the order is left to undo."""
CORRELATION_ID: Final = f"{GROUP}/correlation-id"
"""Annotation with the X-Correlation-ID of the request that placed the order."""
RESTORED: Final = f"{GROUP}/restored"
"""Annotation with the time when the order service made the resource again, because it was lost."""
ARCHIVED: Final = f"{GROUP}/archived"
"""Annotation with the resource's own uid: the order service has kept the story of this finished saga."""
