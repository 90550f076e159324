"""The operator: reconciles `OrderSaga` resources step by step.

Decisions are pure (`steps`, `order`, `saga`, `events`, `decide`, `evolve`), I/O is thin around them (`participants`,
`record`, `run`, `engine`, `handlers`).
"""
