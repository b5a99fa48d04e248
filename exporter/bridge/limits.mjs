// Bounds on the state document and the time to build it. state.schema.json has the same numbers.
export const AGENTS = 1000;
export const DATABASES = 8;
export const PAIRS = 1000;
export const ID_LENGTH = 128;
export const PROCESS_NAME_LENGTH = 40;
export const REPORT_VALUES = 64;
export const REPORT_VALUES_TOTAL = 10_000;
export const REPORT_DEPTH = 4;
export const REPORT_KEY_LENGTH = 64;
export const REPORT_KEYS_READ = 2000;
export const NOISE_CHANGES = 20;
export const SUCCESS_HISTORY = 1000;
export const DOCUMENT_BYTES = 8 * 1024 * 1024;
export const AGENTS_MILLISECONDS = 50;
export const DOCUMENT_AGE_MILLISECONDS = 1000;

export const CONNECTIONS = 16;
export const REQUESTS_PER_SECOND = 250;
export const REQUEST_BURST = 25;
export const REQUEST_MILLISECONDS = 5000;

// Bounds on actions. actions.schema.json has the same numbers.
export const ACTION_BYTES = 16 * 1024;
export const ACTION_WAIT_MILLISECONDS = 4000;
export const ACTIONS_PER_MINUTE = 60;
export const ACTIONS_REMEMBERED = 1000;
export const CHANGES_REMEMBERED = 20_000;
export const ERROR_LENGTH = 500;

export const GOAL_DEPTH = 4;
export const GOAL_VALUES = 200;
export const GOAL_KEY_LENGTH = 64;
export const GOAL_TEXT_LENGTH = 200;
