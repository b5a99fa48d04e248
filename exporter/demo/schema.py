"""The bot's own tables and indexes, as upstream creates them."""

SCHEMA = """
CREATE TABLE portfolio (
    id INTEGER PRIMARY KEY, -- Always 1
    btc_balance REAL NOT NULL,
    usd_balance REAL NOT NULL,
    last_updated DATETIME NOT NULL
);
CREATE TABLE portfolio_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    btc_balance REAL NOT NULL,
    usd_balance REAL NOT NULL,
    btc_price_usd REAL NOT NULL, -- Price at the time of snapshot
    total_value_usd REAL NOT NULL
);
CREATE TABLE trades (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    trade_type VARCHAR(4) NOT NULL CHECK (trade_type IN ('BUY', 'SELL')),
    amount_btc DECIMAL(10,8) NOT NULL,
    price_usd DECIMAL(10,2) NOT NULL,
    fee_usd DECIMAL(8,2) DEFAULT 0,
    total_usd DECIMAL(12,2) NOT NULL,
    agent_decision_reason TEXT,
    market_conditions TEXT,
    executed_by VARCHAR(50) DEFAULT 'bitcoin-orchestrator'
);
CREATE TABLE market_data (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    price_usd DECIMAL(10,2) NOT NULL,
    volume_24h DECIMAL(15,2),
    market_cap DECIMAL(15,2),
    price_change_24h DECIMAL(5,2),
    fear_greed_index INTEGER,
    rsi_value DECIMAL(5,2),
    moving_avg_50 DECIMAL(10,2),
    moving_avg_200 DECIMAL(10,2)
);
CREATE TABLE agent_executions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    agent_name VARCHAR(100) NOT NULL,
    execution_type VARCHAR(50) NOT NULL,
    input_data TEXT,
    output_data TEXT,
    success BOOLEAN DEFAULT 1,
    execution_time_ms INTEGER,
    error_message TEXT
);
CREATE TABLE agent_decisions (
    id VARCHAR(50) PRIMARY KEY,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    agent VARCHAR(100) NOT NULL,
    type VARCHAR(100) NOT NULL,
    context TEXT NOT NULL, -- trigger, inputs, systemState, marketConditions
    reasoning TEXT NOT NULL, -- analysis, alternatives, selectedOption, confidence, riskAssessment
    outcome TEXT NOT NULL, -- action, parameters, expectedResult, actualResult, success
    agent_state TEXT NOT NULL, -- autonomyLevel, learningRate, performanceScore, goals
    system TEXT NOT NULL, -- cycleId, coordinatorDecision, interAgentCommunication, emergentBehaviors
    feedback TEXT NOT NULL -- humanFeedback, systemFeedback, learningAdjustments, futureConsiderations
);
CREATE TABLE news_analysis (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    headline TEXT NOT NULL,
    source VARCHAR(100),
    sentiment_score DECIMAL(3,2), -- -1 to 1
    relevance_score DECIMAL(3,2), -- 0 to 1
    impact_prediction TEXT
);
CREATE TABLE whale_movements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    asset VARCHAR(10) NOT NULL,
    amount DECIMAL(16,8) NOT NULL,
    from_address TEXT,
    to_address TEXT,
    confidence DECIMAL(3,2),
    historical_pattern VARCHAR(50),
    market_impact DECIMAL(3,2),
    tx_hash TEXT,
    tx_timestamp DATETIME
);
CREATE TABLE narrative_shifts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    theme TEXT NOT NULL,
    strength DECIMAL(3,2),
    velocity DECIMAL(3,2),
    sources TEXT, -- JSON array
    key_influencers TEXT, -- JSON array
    sentiment VARCHAR(20),
    novelty DECIMAL(3,2)
);
CREATE TABLE arbitrage_opportunities (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    buy_exchange VARCHAR(50),
    sell_exchange VARCHAR(50),
    asset VARCHAR(10),
    spread_percent DECIMAL(5,2),
    volume DECIMAL(15,2),
    execution_speed VARCHAR(20),
    profit_potential DECIMAL(5,2)
);
CREATE TABLE influencer_signals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    influencer VARCHAR(100),
    asset VARCHAR(10),
    sentiment VARCHAR(20),
    historical_accuracy DECIMAL(3,2),
    followup_potential DECIMAL(5,4),
    reach BIGINT,
    engagement DECIMAL(3,2)
);
CREATE TABLE technical_breakouts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    asset VARCHAR(10),
    pattern VARCHAR(50),
    strength DECIMAL(3,2),
    volume DECIMAL(15,2),
    historical_success DECIMAL(3,2),
    key_levels TEXT, -- JSON array
    timeframe VARCHAR(10),
    confirmation BOOLEAN
);
CREATE TABLE institutional_flows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    institution VARCHAR(100),
    direction VARCHAR(20),
    asset VARCHAR(10),
    amount DECIMAL(16,2),
    certainty DECIMAL(3,2),
    market_impact DECIMAL(3,2)
);
CREATE TABLE derivatives_signals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    asset VARCHAR(10),
    metric VARCHAR(50),
    value DECIMAL(10,6),
    sentiment VARCHAR(20),
    significance DECIMAL(3,2),
    liquidation_risk DECIMAL(3,2)
);
CREATE TABLE macro_signals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp DATETIME DEFAULT CURRENT_TIMESTAMP,
    indicator VARCHAR(100),
    value TEXT,
    impact VARCHAR(20),
    confidence DECIMAL(3,2)
);
CREATE TABLE system_config (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    last_updated TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE system_commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    command TEXT NOT NULL,
    parameters TEXT,
    status TEXT DEFAULT 'pending', -- pending, processing, completed, failed
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    processed_at TIMESTAMP
);
CREATE TABLE system_alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_type TEXT NOT NULL, -- e.g., 'SYSTEM_PAUSE', 'API_FAILURE', 'HIGH_RISK'
    message TEXT NOT NULL,
    level TEXT DEFAULT 'info', -- info, warning, critical
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_agent_decisions_timestamp ON agent_decisions(timestamp);
CREATE INDEX idx_agent_decisions_agent ON agent_decisions(agent);
CREATE INDEX idx_agent_decisions_type ON agent_decisions(type);
CREATE INDEX idx_agent_decisions_agent_timestamp ON agent_decisions(agent, timestamp);
CREATE INDEX idx_system_commands_status ON system_commands(status);
CREATE INDEX idx_system_alerts_level ON system_alerts(level);
CREATE INDEX idx_trades_timestamp ON trades(timestamp);
CREATE INDEX idx_market_data_timestamp ON market_data(timestamp);
CREATE INDEX idx_agent_executions_timestamp ON agent_executions(timestamp);
CREATE INDEX idx_news_analysis_timestamp ON news_analysis(timestamp);
CREATE INDEX idx_portfolio_history_timestamp ON portfolio_history(timestamp);
CREATE INDEX idx_whale_movements_timestamp ON whale_movements(timestamp);
CREATE INDEX idx_whale_movements_asset ON whale_movements(asset);
CREATE INDEX idx_narrative_shifts_timestamp ON narrative_shifts(timestamp);
CREATE INDEX idx_arbitrage_opportunities_timestamp ON arbitrage_opportunities(timestamp);
CREATE INDEX idx_influencer_signals_timestamp ON influencer_signals(timestamp);
CREATE INDEX idx_technical_breakouts_timestamp ON technical_breakouts(timestamp);
CREATE INDEX idx_institutional_flows_timestamp ON institutional_flows(timestamp);
CREATE INDEX idx_derivatives_signals_timestamp ON derivatives_signals(timestamp);
CREATE INDEX idx_macro_signals_timestamp ON macro_signals(timestamp);
"""
