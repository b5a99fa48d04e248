const RETRY_AFTER_SECONDS = 10;

/** The action was not carried out, or only in part. The message is the reason given to the client. */
export class ActionRefusedError extends Error {}

/** Nothing was done. The same request can be sent again after `retryAfter` seconds. */
export class ActionBusyError extends Error {
  constructor(message, retryAfter = RETRY_AFTER_SECONDS) {
    super(message);
    this.retryAfter = retryAfter;
  }
}
