"""hummingbot beside us: positions of its accounts, read through hummingbot-api."""
