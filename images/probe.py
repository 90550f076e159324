"""A health check for images without a shell tool: exit status 0 if a GET on this host is answered with 200.

    python -IS /app/probe.py UVICORN_PORT /ready

The first argument is the environment variable that holds the port. Since it is started every few seconds beside a
service, it imports little more than sockets; with `-IS` it starts in a hundredth of a second.
"""

import os
import socket
import sys

SECONDS = 2.5
"""Below the three seconds after which the container engine gives up, so that this program can still say why."""


def probe(port: int, path: str) -> str:
    """The answer's status line, with the body unless the status is 200. Raises OSError if there is no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
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
