"""Refusals of the simulated exchange: Binance's USDⓈ-M error codes, messages and HTTP statuses."""

from enum import IntEnum

from risk.errors import PerphedgeError


class Code(IntEnum):
    """Error codes, by what they mean."""

    UNKNOWN = -1000
    DISCONNECTED = -1001
    UNAUTHORIZED = -1002
    TOO_MANY_REQUESTS = -1003
    TIMEOUT = -1007
    SERVER_BUSY = -1008
    TOO_MANY_ORDERS = -1015
    UNSUPPORTED_OPERATION = -1020
    INVALID_TIMESTAMP = -1021
    INVALID_SIGNATURE = -1022
    ILLEGAL_CHARACTERS = -1100
    TOO_MANY_PARAMETERS = -1101
    MANDATORY_PARAMETER = -1102
    UNKNOWN_PARAMETER = -1103
    PARAMETER_NOT_REQUIRED = -1106
    BAD_PRECISION = -1111
    BAD_TIME_IN_FORCE = -1115
    BAD_ORDER_TYPE = -1116
    BAD_SIDE = -1117
    BAD_SYMBOL = -1121
    INVALID_LISTEN_KEY = -1125
    BAD_INTERVAL = -1120
    BAD_PARAMETER = -1130
    CANCEL_REJECTED = -2011
    NO_SUCH_ORDER = -2013
    BAD_API_KEY_FORMAT = -2014
    REJECTED_KEY = -2015
    MARGIN_INSUFFICIENT = -2019
    REDUCE_ONLY_REJECTED = -2022
    MAX_OPEN_ORDERS = -2025
    MAX_POSITION_AT_LEVERAGE = -2027
    LEVERAGE_MARGIN_INSUFFICIENT = -2028
    PRICE_NOT_POSITIVE = -4001
    PRICE_ABOVE_MAX = -4002
    QUANTITY_NOT_POSITIVE = -4003
    QUANTITY_BELOW_MIN = -4004
    QUANTITY_ABOVE_MAX = -4005
    PRICE_BELOW_MIN = -4013
    PRICE_OFF_TICK = -4014
    BAD_CLIENT_ID = -4015
    PRICE_ABOVE_CAP = -4016
    QUANTITY_OFF_STEP = -4023
    PRICE_BELOW_FLOOR = -4024
    BAD_LEVERAGE = -4028
    MARGIN_TYPE_UNCHANGED = -4046
    MARGIN_TYPE_OPEN_ORDERS = -4047
    MARGIN_TYPE_POSITION = -4048
    POSITION_MODE_UNCHANGED = -4059
    BAD_POSITION_SIDE = -4060
    POSITION_SIDE_MISMATCH = -4061
    POSITION_MODE_OPEN_ORDERS = -4067
    POSITION_MODE_POSITION = -4068
    DUPLICATE_CLIENT_ID = -4116
    MARKET_ORDER_REJECTED = -4131
    SYMBOL_CLOSED = -4141
    ISOLATED_LEVERAGE_POSITION = -4161
    MIN_NOTIONAL = -4164
    FILL_OR_KILL_REJECTED = -5021
    POST_ONLY_REJECTED = -5022
    ONLY_LIMIT_AMENDABLE = -5025
    TOO_MANY_AMENDMENTS = -5026
    NOTHING_TO_AMEND = -5027


MESSAGES: dict[Code, str] = {
    Code.UNKNOWN: "An unknown error occurred while processing the request.",
    Code.DISCONNECTED: "Internal error; unable to process your request. Please try again.",
    Code.UNAUTHORIZED: "You are not authorized to execute this request.",
    Code.TOO_MANY_REQUESTS: "Too many requests; please use the websocket for live updates.",
    Code.TIMEOUT: "Timeout waiting for response from backend server. "
    "Send status unknown; execution status unknown.",
    Code.SERVER_BUSY: "Server is currently overloaded with other requests. "
    "Please try again in a few minutes.",
    Code.TOO_MANY_ORDERS: "Too many new orders.",
    Code.UNSUPPORTED_OPERATION: "This operation is not supported.",
    Code.INVALID_TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
    Code.INVALID_SIGNATURE: "Signature for this request is not valid.",
    Code.ILLEGAL_CHARACTERS: "Illegal characters found in parameter '{name}'.",
    Code.TOO_MANY_PARAMETERS: "Too many parameters sent for this endpoint.",
    Code.MANDATORY_PARAMETER: "Mandatory parameter '{name}' was not sent, was empty/null, "
    "or malformed.",
    Code.UNKNOWN_PARAMETER: "An unknown parameter was sent.",
    Code.PARAMETER_NOT_REQUIRED: "Parameter '{name}' sent when not required.",
    Code.BAD_PRECISION: "Precision is over the maximum defined for this asset.",
    Code.BAD_TIME_IN_FORCE: "Invalid timeInForce.",
    Code.BAD_ORDER_TYPE: "Invalid orderType.",
    Code.BAD_SIDE: "Invalid side.",
    Code.BAD_SYMBOL: "Invalid symbol.",
    Code.INVALID_LISTEN_KEY: "This listenKey does not exist.",
    Code.BAD_INTERVAL: "Invalid interval.",
    Code.BAD_PARAMETER: "Data sent for parameter '{name}' is not valid.",
    Code.CANCEL_REJECTED: "Unknown order sent.",
    Code.NO_SUCH_ORDER: "Order does not exist.",
    Code.BAD_API_KEY_FORMAT: "API-key format invalid.",
    Code.REJECTED_KEY: "Invalid API-key, IP, or permissions for action.",
    Code.MARGIN_INSUFFICIENT: "Margin is insufficient.",
    Code.REDUCE_ONLY_REJECTED: "ReduceOnly Order is rejected.",
    Code.MAX_OPEN_ORDERS: "Reach max open order limit.",
    Code.MAX_POSITION_AT_LEVERAGE: "Exceeded the maximum allowable position at current leverage.",
    Code.LEVERAGE_MARGIN_INSUFFICIENT: "Leverage is smaller than permitted: "
    "insufficient margin balance.",
    Code.PRICE_NOT_POSITIVE: "Price less than or equal to zero.",
    Code.PRICE_ABOVE_MAX: "Price greater than max price.",
    Code.QUANTITY_NOT_POSITIVE: "Quantity less than or equal to zero.",
    Code.QUANTITY_BELOW_MIN: "Quantity less than min quantity.",
    Code.QUANTITY_ABOVE_MAX: "Quantity greater than max quantity.",
    Code.PRICE_BELOW_MIN: "Price less than min price.",
    Code.PRICE_OFF_TICK: "Price not increased by tick size.",
    Code.BAD_CLIENT_ID: "Client order id is not valid.",
    Code.PRICE_ABOVE_CAP: "Limit price can't be higher than {limit}.",
    Code.QUANTITY_OFF_STEP: "Quantity not increased by step size.",
    Code.PRICE_BELOW_FLOOR: "Limit price can't be lower than {limit}.",
    Code.BAD_LEVERAGE: "Leverage {leverage} is not valid",
    Code.MARGIN_TYPE_UNCHANGED: "No need to change margin type.",
    Code.MARGIN_TYPE_OPEN_ORDERS: "Margin type cannot be changed if there exists open orders.",
    Code.MARGIN_TYPE_POSITION: "Margin type cannot be changed if there exists position.",
    Code.POSITION_MODE_UNCHANGED: "No need to change position side.",
    Code.BAD_POSITION_SIDE: "Invalid position side.",
    Code.POSITION_SIDE_MISMATCH: "Order's position side does not match user's setting.",
    Code.POSITION_MODE_OPEN_ORDERS: "Position side cannot be changed if there exists open orders.",
    Code.POSITION_MODE_POSITION: "Position side cannot be changed if there exists position.",
    Code.DUPLICATE_CLIENT_ID: "ClientOrderId is duplicated.",
    Code.MARKET_ORDER_REJECTED: "The counterparty's best price does not meet "
    "the PERCENT_PRICE filter limit.",
    Code.SYMBOL_CLOSED: "Symbol is closed.",
    Code.ISOLATED_LEVERAGE_POSITION: "Leverage reduction is not supported in "
    "Isolated Margin Mode with open positions.",
    Code.MIN_NOTIONAL: "Order's notional must be no smaller than {limit} "
    "(unless you choose reduce only).",
    Code.FILL_OR_KILL_REJECTED: "Due to the order could not be filled immediately, "
    "the FOK order has been rejected. The order will not be recorded in the order history",
    Code.POST_ONLY_REJECTED: "Due to the order could not be executed as maker, "
    "the Post Only order will be rejected. "
    "The order will not be recorded in the order history",
    Code.ONLY_LIMIT_AMENDABLE: "Only limit order is supported.",
    Code.TOO_MANY_AMENDMENTS: "Exceed maximum modify order limit.",
    Code.NOTHING_TO_AMEND: "No need to modify the order.",
}

HTTP_STATUS: dict[Code, int] = {
    Code.UNAUTHORIZED: 401,
    Code.REJECTED_KEY: 401,
    Code.BAD_API_KEY_FORMAT: 401,
    Code.TOO_MANY_REQUESTS: 429,
    Code.TOO_MANY_ORDERS: 429,
    Code.TIMEOUT: 408,
    Code.SERVER_BUSY: 503,
}
"""Statuses other than 400."""


class VenueReject(PerphedgeError):  # noqa: N818 - a refusal is an answer of the exchange
    """The exchange refuses a request; nothing has changed.

    Attributes:
        code: Binance's code, below 0.
        message: Binance's message.
        http_status: of the reply.
    """

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status


def reject(code: Code, **fields: object) -> VenueReject:
    """The refusal with ``code``; ``fields`` fill the braces of its message."""
    return VenueReject(int(code), MESSAGES[code].format(**fields), HTTP_STATUS.get(code, 400))
