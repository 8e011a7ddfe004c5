"""The bad days: scenarios, value at risk, stress."""
