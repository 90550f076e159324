"""Links to a person's own tools, beside each order: to logs, to traces."""

Link = dict[str, str]


def link(text: str) -> Link:
    """`NAME=URL`. Raises ValueError: it isn't."""
    name, _, url = text.partition("=")
    if not name or not url.startswith(("https://", "http://")):
        raise ValueError(f"--link {text!r}: write NAME=https://…, with {{order}} where its id belongs")
    return {"name": name, "url": url}
