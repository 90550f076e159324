"""The door: who the shop's clients are, and how much each of them may ask for.

api_keys.py    what an API key is: made, printed once, kept as a hash (pure)
keyring.py     the keys in the database, and who their bearers are without asking it at each call
provider.py    the tokens of the shop's identity provider, and who their bearers are
discovery.py   that provider's public keys, found by its name as an issuer (OpenID Connect Discovery)
allowance.py   how many requests each client may make (pure)
door.py        all of it together, as the guard of the service's routes asks it
"""
