"""Providers that really deliver: a mail server, or a webhook of the shop's. docs/notifications.md is their manual.

choice         the provider that the settings name, or why there is none
smtp           a message over SMTP
webhook        a message as a signed POST
connections    the connections to a mail server
mail           a message as RFC 5322 has it                                             pure
answers        what a mail server's answer means for the message                        pure
counted        how each message ended, as a metric, and what a person has to mend, as a line in the log
secret_files   passwords and secrets in files that are replaced
"""
