"""How to reach the parts of an installation from outside: with TLS or without, and with whose authority."""

import base64
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from common.wire import Json

Ask = Callable[..., str]
"""`kubectl WORDS`; what it prints."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """What an installation says of itself: nothing has to be told to the test."""

    namespace: str
    services: bool
    """Whether they speak TLS."""
    database: bool
    """Whether the bundled database does."""
    authority: str
    """In PEM; "" where the system's count."""

    @classmethod
    def of(cls, kubectl: Ask, namespace: str) -> "Encryption":
        """The installation in this namespace."""
        protocol = "jsonpath={.spec.ports[?(@.name=='http')].appProtocol}"
        found: Json = json.loads(kubectl("get", "deployments", "-o", "json"))
        pods = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found["items"]}
        arguments = [word for each in pods.get("mongodb", {}).get("containers", ()) for word in each.get("args", ())]
        sources = [each for each in pods["ordersaga-operator"].get("volumes", ()) if each["name"] == "authority"]
        return cls(
            namespace,
            services=kubectl("get", "service", "order-service", "-o", protocol) == "https",
            database=any(word.startswith("--tlsMode=require") for word in arguments),
            authority=_content(kubectl, sources[0]) if sources else "",
        )

    @property
    def scheme(self) -> str:
        """Of the services' URLs."""
        return "https" if self.services else "http"

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """What the services' certificates are checked with."""
        return ssl.create_default_context(cadata=self.authority) if self.services and self.authority else True

    def host(self, service: str) -> str:
        """The name in a service's certificate: it is reached by way of this machine."""
        return f"{service}-service.{self.namespace}.svc"

    def database_url(self, uri: str, port: int, folder: Path) -> str:
        """A URI of the bundled database by way of this machine's port; the authority is written into the folder."""
        parts = urlsplit(uri)
        user, _, _ = parts.netloc.rpartition("@")
        options = {**dict(parse_qsl(parts.query)), "directConnection": "true"}
        if self.database:
            options |= {"tls": "true", "tlsAllowInvalidHostnames": "true"}  # its name leads elsewhere than to this port
            if self.authority:
                (folder / "ca.crt").write_text(self.authority)
                options["tlsCAFile"] = str(folder / "ca.crt")
        netloc = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        return parts._replace(netloc=netloc, path=parts.path or "/", query=urlencode(options)).geturl()


def _content(kubectl: Ask, volume: Json) -> str:
    """Of the one file in it; "" if it is optional and isn't there."""
    kind = "secret" if "secret" in volume else "configmap"
    source = volume.get("secret") or volume["configMap"]
    name, (item,) = source.get("secretName") or source["name"], source["items"]
    data: dict[str, str] = json.loads(kubectl("get", kind, name, "-o", "json")).get("data") or {}
    value = data.get(item["key"], "")
    return base64.b64decode(value).decode() if kind == "secret" else value
