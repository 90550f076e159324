"""An OpenID Connect issuer on this machine, with TLS, where whoever comes is signed in as the test says."""

import base64
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from dev.stack.parts.certificates import Authority, write_private
from tests.support.tokens import Issuer

CLIENT = "ordersaga-page"


class SignIn(Issuer):
    """Where people sign in. `who`: the next one; `lasts`: seconds of an ID token; `refreshes`: whether for longer."""

    def __init__(self, authority: Authority, folder: Path) -> None:
        super().__init__("k-1")
        self.who, self.groups, self.lasts, self.refreshes = "ann", ["oncall"], 300.0, False
        self.asked: dict[str, int] = {}
        self._codes: dict[str, tuple[str, str]] = {}
        certificate = authority.server("localhost")
        write_private(folder / "issuer.pem", certificate.certificate + certificate.key)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "issuer.pem")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, asked: dict[str, str]) -> dict[str, Any] | str:
        """JSON, or the address to which the browser is sent on."""
        self.asked[path] = self.asked.get(path, 0) + 1
        match path:
            case "/.well-known/openid-configuration":
                names = {"authorization": "authorize", "token": "token"}
                return {
                    "issuer": self.url,
                    "jwks_uri": f"{self.url}/keys",
                    **{f"{name}_endpoint": f"{self.url}/{path}" for name, path in names.items()},
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            case "/keys":
                return self.key_set
            case "/authorize":
                code = f"code-{len(self._codes)}"
                self._codes[code] = (asked.get("nonce", ""), asked["code_challenge"])
                return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            case "/token" if asked["grant_type"] == "refresh_token":
                return self._tokens("")
            case "/token":
                nonce, challenge = self._codes.pop(asked["code"])
                digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
                assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
                return self._tokens(nonce)
        raise LookupError(path)

    def _tokens(self, nonce: str) -> dict[str, Any]:
        [(key_id, key)] = self.keys.items()
        moment = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": f"id-of-{self.who}",
            "preferred_username": self.who,
            "groups": self.groups,
            "iat": moment,
            "exp": int(moment + self.lasts),
        } | ({"nonce": nonce} if nonce else {})
        made = jwt.encode(claims, key, "RS256", {"kid": key_id})
        more = {"refresh_token": "again"} if self.refreshes else {}
        return {
            "access_token": "opaque",
            "token_type": "Bearer",
            "expires_in": int(self.lasts),
            "id_token": made,
        } | more

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                self._answer(url.path, url.query)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                self._answer(self.path, self.rfile.read(length).decode())

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, path: str, query: str) -> None:
                found = issuer.answer(path, {name: values[0] for name, values in parse_qs(query).items()})
                if isinstance(found, str):
                    self.send_response(302)
                    self.send_header("Location", found)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(found).encode())

        return Handler
