"""A freqtrade strategy that enters and leaves only what it is told to over its interface."""

from freqtrade.strategy import IStrategy


class Told(IStrategy):
    """No signals; 3 times leverage."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    can_short = True
    stoploss = -0.9
    minimal_roi = {"0": 100}  # noqa: RUF012 - as the base class has it
    startup_candle_count = 0

    def populate_indicators(self, dataframe, metadata):  # type: ignore[no-untyped-def] # freqtrade has no types here
        """None."""
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):  # type: ignore[no-untyped-def] # freqtrade has no types here
        """No entries."""
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):  # type: ignore[no-untyped-def] # freqtrade has no types here
        """No exits."""
        return dataframe

    def leverage(self, *args: object, **kwargs: object) -> float:
        """The same for all."""
        return 3.0
