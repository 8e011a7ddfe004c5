"""freqtrade beside us: its positions and lists over REST, its fills as news, locks on request."""
