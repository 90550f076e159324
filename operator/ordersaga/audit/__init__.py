"""The audit: are the records of every order consistent with its outcome, and with each other?

command     the options of `ordersaga audit`, and its exit status
auditor     reads all orders in one pass, and checks a second time whatever does not balance
sources/    where records are read: the databases or the services' REST lists, and the API server
rules/      pure: what must be true of one order's records, and what is wrong with them
report      a table for people, or JSON
restore     the manifest of an order that has lost its resource
"""
