"""A health check for images without a shell tool: exit status 0 if a GET on this host is answered with 200.

    python -IS /app/probe.py UVICORN_PORT /ready

The first argument is the environment variable that has the port. Started every few seconds beside a service, it
imports nothing but sockets: with `-IS` that is a hundredth of a second.
"""

import os
import socket
import sys

SECONDS = 2.5
"""Below the three seconds after which the engine gives up, so that it is this program that says why."""


def probe(port: int, path: str) -> str:
    """The status line of the answer. Raises OSError when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.partition(b"\r\n")[0].decode(errors="replace")
    return status if status.split()[1:2] == ["200"] else f"{status} {body.decode(errors='replace')}"


def main(arguments: list[str]) -> int:
    """0 and nothing said, or 1 and what was answered."""
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
