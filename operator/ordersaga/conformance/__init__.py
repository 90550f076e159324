"""The conformance kit: does a participant keep every promise of docs/participants.md, in whatever order it is called?

command                     the options of `ordersaga conformance`, and its exit status
promises                    every promise, and the run of some of them against one participant
sequences, races, headers   the calls that find out whether a promise is kept
trial, exchange             the calls of one promise, recorded for the report
subject, templates          what has to be known of a participant, and how it is read from the command line
report                      lines for people, or JSON
"""
