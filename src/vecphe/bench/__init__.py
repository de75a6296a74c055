"""Benchmarks: workloads, a runner for a matrix of cases, records, comparison and report. ``vecphe bench`` runs it."""
