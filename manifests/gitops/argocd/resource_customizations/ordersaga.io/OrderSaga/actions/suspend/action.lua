-- No further step is begun, and the deadline's clock stops. A rollback isn't held up.
obj.spec.state = "Suspended"
return obj
