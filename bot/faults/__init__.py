"""Seeded fault simulation: the engine on an adversarial exchange, judged by an oracle."""
