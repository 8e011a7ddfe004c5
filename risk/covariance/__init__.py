"""Covariance estimators behind one interface."""
