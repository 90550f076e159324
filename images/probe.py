"""A health check for images without a shell tool: exit status 0 if a GET on this host is answered with 200.

    python -IS /app/probe.py UVICORN_PORT /ready

The first argument is the environment variable that holds the port. Since it is started every few seconds beside a
service, it imports little more than sockets; with `-IS` it starts in a hundredth of a second. Where the service or the
operator has a certificate, this asks with TLS, and takes any: it asks on this host alone, as a kubelet does.
"""

import os
import socket
import sys

SECONDS = 2.5
"""Below the three seconds after which the container engine gives up, so that this program can still say why."""


def connected(port: int) -> socket.socket:
    """A connection, with TLS where the service has a certificate."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    if not (os.environ.get("UVICORN_SSL_CERTFILE") or os.environ.get("ORDERSAGA_HEALTH_CERTIFICATE")):
        return connection
    import ssl  # noqa: PLC0415 - it takes as long to load as all the rest

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection)


def probe(port: int, path: str) -> str:
    """The answer's status line, with the body unless the status is 200. Raises OSError if there is no answer."""
    with connected(port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].decode(errors="replace")
    return status if status.split()[1:2] == ["200"] else f"{status} {body.decode(errors='replace')}"


def main(arguments: list[str]) -> int:
    """Return 0 and print nothing, or return 1 and print the answer."""
    variable, path = arguments
    try:
        answer = probe(int(os.environ[variable]), path)
    except OSError as error:
        answer = f"no answer: {error}"
    if answer.split()[1:2] == ["200"]:
        return 0
    sys.stderr.write(answer + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
