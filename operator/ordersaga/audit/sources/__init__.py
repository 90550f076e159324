"""Where the audit reads records: the five databases or the five services, and the API server. They only read."""
