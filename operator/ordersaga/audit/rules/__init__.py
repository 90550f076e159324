"""The rules of the audit. Pure: the records of one order go in, findings come out. No I/O, no clock, no log.

    Completed     what was captured, less refunds, is the total; the ordered units are reserved or dispatched; one live
                  shipment; one order_confirmed (none if it bounced, the contact is unknown or a person skipped it)
    Compensated   net captured nothing, no units, no live shipment, no order_confirmed (an order_cancelled may be there)
    always        in each ledger at most one charge, one refund, one booking, one cancellation, one message of a type

and what the ledgers of the providers say is what the documents say.

    check     one order: which outcome is expected, and everything that contradicts it
    effects   what the steps leave behind: money, units, shipment, message; and the stock of a product
    outcome   which outcome an order should have, and the types of what a check finds
    streams   joins sorted sources, so that all records of one order come together
    records   the records of one order, as plain data

They are the only definition of these rules: the end-to-end tests and the chaos run use them, too.
"""
