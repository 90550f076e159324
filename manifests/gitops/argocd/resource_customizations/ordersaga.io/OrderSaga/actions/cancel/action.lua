-- For good: what was done is undone, and the order's id is spent.
obj.spec.state = "Cancelled"
return obj
