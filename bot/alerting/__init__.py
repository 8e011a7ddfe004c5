"""Alerts on their way to people: who is told of what, when, how often, and what became of it.

The guard raises alerts and tells log and file of them at once (bot/controls/alerting.py). Here
the open ones, and proposals that wait for somebody, go to the services of the owner's choice:
``board`` decides and knows nothing of services or the disk, ``service`` sends, ``desk`` brings
both together and keeps in the journal what was decided.
"""
