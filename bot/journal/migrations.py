"""The journal's tables, and how they came about."""

UNRESOLVED = (
    "(state IN ('live', 'partial', 'quarantined', 'sending', 'unknown') "
    "OR filled_quantity <> booked_quantity)"
)
"""Orders that may still change a position. Only these very words find the index over them."""

EVENT_SYMBOL = "CASE WHEN json_valid(document) THEN json_extract(document, '$.symbol') END"
"""The symbol of an event; of one whose text was spoilt there is none, and nothing fails by it.

Only these very words find the index over them."""

PROPOSAL_ENDED = (
    "kind IN ('proposal_executed', 'proposal_refused', 'proposal_rejected', 'proposal_expired', "
    "'proposal_superseded', 'proposal_lost')"
)
"""Events with which a proposal ends. Only these very words find the index over them."""

# Each entry brings the file from the version before to its own; entries are never changed.
# Quantities, prices and money are decimal text: exact, and SQLite never touches them.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        """CREATE TABLE cycles (
            cycle_id TEXT PRIMARY KEY, timestamp_ms INTEGER NOT NULL, status TEXT NOT NULL,
            document TEXT NOT NULL) STRICT""",
        "CREATE INDEX cycles_by_time ON cycles (timestamp_ms)",
        """CREATE TABLE intents (
            intent_id TEXT PRIMARY KEY, cycle_id TEXT NOT NULL, account TEXT NOT NULL,
            symbol TEXT NOT NULL, trade_quantity TEXT NOT NULL, limits_hash TEXT NOT NULL,
            document TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT""",
        """CREATE TABLE orders (
            client_id TEXT PRIMARY KEY, intent_id TEXT NOT NULL REFERENCES intents,
            account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
            position_side TEXT NOT NULL, quantity TEXT NOT NULL, limit_price TEXT NOT NULL,
            time_in_force TEXT NOT NULL, reduce_only INTEGER NOT NULL, leg TEXT NOT NULL,
            attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, payload_hash TEXT NOT NULL,
            external_before TEXT, state TEXT NOT NULL, venue_order_id TEXT,
            filled_quantity TEXT NOT NULL, booked_quantity TEXT NOT NULL, average_price TEXT,
            code TEXT NOT NULL, reason TEXT NOT NULL, sent_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL, first_round_ms INTEGER, last_round_ms INTEGER,
            negative_rounds INTEGER NOT NULL) STRICT""",
        "CREATE INDEX orders_by_state ON orders (account, state)",
        "CREATE INDEX orders_by_venue_id ON orders (account, symbol, venue_order_id)",
        "CREATE INDEX orders_by_intent ON orders (intent_id)",
        """CREATE TABLE fills (
            account TEXT NOT NULL, symbol TEXT NOT NULL, trade_id TEXT NOT NULL,
            client_id TEXT NOT NULL REFERENCES orders, venue_order_id TEXT NOT NULL,
            side TEXT NOT NULL, position_side TEXT NOT NULL, quantity TEXT NOT NULL,
            price TEXT NOT NULL, fee_usd TEXT, realised_pnl_usd TEXT, maker INTEGER NOT NULL,
            timestamp_ms INTEGER NOT NULL, booked_ms INTEGER NOT NULL,
            PRIMARY KEY (account, symbol, trade_id)) STRICT""",
        "CREATE INDEX fills_by_time ON fills (timestamp_ms)",
        """CREATE TABLE funding (
            account TEXT NOT NULL, receipt_id TEXT NOT NULL, symbol TEXT NOT NULL,
            amount_usd TEXT NOT NULL, timestamp_ms INTEGER NOT NULL,
            PRIMARY KEY (account, receipt_id)) STRICT""",
        """CREATE TABLE external_closes (
            id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, symbol TEXT NOT NULL,
            position_side TEXT NOT NULL, quantity_change TEXT NOT NULL,
            own_quantity TEXT NOT NULL, venue_quantity TEXT NOT NULL,
            timestamp_ms INTEGER NOT NULL) STRICT""",
        """CREATE TABLE watermarks (
            account TEXT NOT NULL, symbol TEXT NOT NULL, timestamp_ms INTEGER NOT NULL,
            PRIMARY KEY (account, symbol)) STRICT""",
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp_ms INTEGER NOT NULL,
            kind TEXT NOT NULL, cycle_id TEXT, client_id TEXT, document TEXT NOT NULL) STRICT""",
        "CREATE INDEX events_by_time ON events (timestamp_ms)",
        "CREATE INDEX events_by_cycle ON events (cycle_id)",
    ),
    (
        # What is asked around every order must not read all that were ever sent.
        f"CREATE INDEX orders_unresolved ON orders (account) WHERE {UNRESOLVED}",
        "CREATE INDEX orders_by_symbol ON orders (account, symbol, sent_ms)",
        "CREATE INDEX orders_by_time ON orders (account, sent_ms)",
    ),
    (
        # One line for each row that was written, in order, over the hash of the line before.
        """CREATE TABLE chain (
            id INTEGER PRIMARY KEY, source TEXT NOT NULL, row INTEGER NOT NULL,
            digest BLOB NOT NULL, link BLOB NOT NULL) STRICT""",
    ),
    (
        # The execution behind a close by others, where the venue shows it.
        """CREATE TABLE venue_closes (
            close_id INTEGER PRIMARY KEY REFERENCES external_closes, account TEXT NOT NULL,
            symbol TEXT NOT NULL, trade_id TEXT NOT NULL, kind TEXT NOT NULL,
            venue_order_id TEXT NOT NULL, client_id TEXT NOT NULL, price TEXT NOT NULL,
            fee_usd TEXT, realised_pnl_usd TEXT, UNIQUE (account, symbol, trade_id)) STRICT""",
    ),
    (
        # Costs are read from the beginning at every start; they are few among the events.
        "CREATE INDEX events_order_costs ON events (id) WHERE kind = 'order_costs'",
        "CREATE INDEX events_impact_refit ON events (id) WHERE kind = 'impact_refit'",
    ),
    (
        # What one order cost must not read what all others of its day filled.
        "CREATE INDEX fills_by_order ON fills (client_id)",
    ),
    (
        # What was done of one token is asked of months.
        f"CREATE INDEX events_by_symbol ON events ({EVENT_SYMBOL}) "
        f"WHERE {EVENT_SYMBOL} IS NOT NULL",
    ),
    (
        # A page that shows the last of them is drawn anew with every cycle.
        f"CREATE INDEX events_proposal_ended ON events (id) WHERE {PROPOSAL_ENDED}",
    ),
)
