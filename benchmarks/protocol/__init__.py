"""Rounds of the federated protocol, by clients and backend."""
