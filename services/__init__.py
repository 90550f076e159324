"""The five services. Every folder in here is one; none imports another."""
