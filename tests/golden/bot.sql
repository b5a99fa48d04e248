-- A small bot: every family of source 1 has a value, and each kind of odd value is there once.
CREATE TABLE agent_executions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME, agent_name VARCHAR(100) NOT NULL,
  execution_type VARCHAR(50) NOT NULL, input_data TEXT, output_data TEXT, success BOOLEAN DEFAULT 1,
  execution_time_ms INTEGER, error_message TEXT);
INSERT INTO agent_executions (timestamp, agent_name, execution_type, output_data, success, execution_time_ms, error_message) VALUES
  ('2025-10-10 15:00:00', 'market-hunter', 'decision_cycle', '{"confidence":0.85,"signalsGenerated":3}', 1, 1250, NULL),
  ('2025-10-10 15:01:00', 'market-hunter', 'decision_cycle', '{"confidence":85,"signalsGenerated":0}', 1, 0, NULL),
  ('2025-10-10 15:02:00', 'Market Hunter', 'decision_cycle', '{"confidence":NaN}', 0, 2800.5, 'timeout'),
  ('2025-10-10 15:02:00', 'market-hunter', 'scan', NULL, NULL, NULL, NULL),
  ('not a time', 'Intelligent Execution Agent', 'trading_decision', '{"confidence":"high"}', 1, -5, NULL);
-- Of as many as it takes to tell a bad agent from bad luck.
WITH RECURSIVE minute(n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM minute WHERE n < 21)
INSERT INTO agent_executions (timestamp, agent_name, execution_type, output_data, success, execution_time_ms)
SELECT '2025-10-10 15:' || n || ':00', 'content-creator', 'creation_cycle', '{"confidence":0.75}', n % 3 = 0, 3000 + n FROM minute;

CREATE TABLE agent_decisions (
  id VARCHAR(50) PRIMARY KEY, timestamp DATETIME, agent VARCHAR(100) NOT NULL, type VARCHAR(100) NOT NULL,
  context TEXT, reasoning TEXT, outcome TEXT, agent_state TEXT, system TEXT, feedback TEXT);
INSERT INTO agent_decisions VALUES
  ('dec_1760108400000_a', '2025-10-10T15:00:00.000Z', 'market-hunter', 'MARKET_SCAN', '{}',
   '{"confidence":0.85,"riskAssessment":"medium","alternatives":["wait","sell"]}',
   '{"action":"ACT","success":true,"actualResult":0.75}',
   '{"autonomyLevel":0.9,"performanceScore":0.82,"learningRate":0.15}',
   '{"interAgentCommunication":[{"target":"Market Analyzer","type":"request"}]}',
   '{"learningAdjustments":["raise the bar"]}'),
  ('dec_1760108460000_b', '2025-10-10T15:01:00.000Z', 'market-hunter', 'MARKET_SCAN', '{}',
   '{"confidence":0.6,"riskAssessment":"unclear","alternatives":[]}',
   '{"action":"ACT","success":false,"actualResult":"missed"}',
   '{"autonomyLevel":95,"performanceScore":0.8,"learningRate":0.2}',
   '{"interAgentCommunication":[]}', '{"learningAdjustments":[]}'),
  ('dec_1760108520000_c', '2025-10-10T15:02:00.500Z', 'market-hunter', 'CONTENT_PLAN', '{}',
   '{"confidence":1,"alternatives":["one"]}', '{"success":null}', '{"autonomyLevel":0.91,"performanceScore":0.8,"learningRate":0.2}',
   'not json', '{}');

CREATE TABLE portfolio (
  id INTEGER PRIMARY KEY, btc_balance REAL NOT NULL, usd_balance REAL NOT NULL, last_updated DATETIME NOT NULL);
INSERT INTO portfolio VALUES (1, 0.05, 5200, '2025-10-10 15:05:00');

CREATE TABLE portfolio_history (
  id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME, btc_balance REAL, usd_balance REAL,
  btc_price_usd REAL, total_value_usd REAL);
INSERT INTO portfolio_history (timestamp, btc_balance, usd_balance, btc_price_usd, total_value_usd) VALUES
  ('2025-10-05 12:00:00', 0, 10000, 99000, 10000), ('2025-10-06 00:00:10', 0.05, 5250, 98000, 10150),
  ('2025-10-08 12:00:00', 0.05, 5250, 90000, 9750), ('2025-10-10 12:00:00', 0.05, 5200, 101000, 10250);

CREATE TABLE trades (
  id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME, trade_type VARCHAR(4), amount_btc DECIMAL(10,8),
  price_usd DECIMAL(10,2), fee_usd DECIMAL(8,2) DEFAULT 0, total_usd DECIMAL(12,2), executed_by VARCHAR(50));
INSERT INTO trades (timestamp, trade_type, amount_btc, price_usd, fee_usd, total_usd, executed_by) VALUES
  ('2025-10-06 10:00:00', 'BUY', 0.01, 98000, 1, 980, 'bitcoin-orchestrator'),
  ('2025-10-07 10:00:00', 'BUY', 0.01, 99000, NULL, 990, 'Intelligent Execution Agent'),
  ('2025-10-08 10:00:00', 'SELL', 0.015, 100000, 1.5, 1500, 'Intelligent Execution Agent'),
  ('2025-10-09 10:00:00', 'SELL', 0.01, 95000, 0, 950, 'bitcoin-orchestrator'),
  ('2025-10-09 12:00:00', 'BUY', 0.002, 96000, 0.2, 192, 'bitcoin-orchestrator');

CREATE TABLE market_data (
  id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp DATETIME, price_usd DECIMAL(10,2), volume_24h DECIMAL(15,2),
  price_change_24h DECIMAL(5,2), fear_greed_index INTEGER);
INSERT INTO market_data (timestamp, price_usd, volume_24h, price_change_24h, fear_greed_index) VALUES
  ('2025-10-10 14:00:00', 101000, 45000000000, 2.5, 64), ('2025-10-10 15:00:00', 102000.5, 44000000000, -1.25, 61);

CREATE TABLE system_config (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO system_config VALUES ('system_status', 'running');
CREATE TABLE system_alerts (id INTEGER PRIMARY KEY AUTOINCREMENT, alert_type TEXT, level TEXT, timestamp TIMESTAMP);
INSERT INTO system_alerts (alert_type, level, timestamp) VALUES ('EXTREME_FEAR', 'warning', '2025-10-10 15:00:00');
CREATE TABLE system_commands (id INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT, status TEXT, created_at TIMESTAMP);
INSERT INTO system_commands (command, status) VALUES ('pause_system', 'processed'), ('resume_system', 'pending');
