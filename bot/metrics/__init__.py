"""What a Prometheus server is told of an engine, from its journal alone."""
