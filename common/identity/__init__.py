"""Who calls: the tokens that a cluster gives to its pods, each for one audience, verified and presented.

    bearer.py          the caller's side: its own token for one service, from a file that is replaced as it grows old
    tokens.py          what a token must say, and who it is then (pure)
    keys.py            the cluster's public keys, fetched again when a token names one that isn't known
    review.py          the API server's own word on a token, whose pod or account may be gone
    authenticator.py   all of it together, once for each token and minute

A token is a JSON Web Token (RFC 7519) that the kubelet mounts (a projected volume, KEP-1205) and renews. Its audience
is one participant, so that a token stolen there is worth nothing elsewhere.
"""
