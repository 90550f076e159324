"""`ordersaga conformance`: does a participant keep the protocol of docs/participants.md, however it is called?"""
