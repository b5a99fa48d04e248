import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

import { CONNECTIONS, REQUESTS_PER_SECOND, REQUEST_BURST, REQUEST_MILLISECONDS } from './limits.mjs';
import { say } from './log.mjs';
import { isLoopback } from './options.mjs';

const RETRY_MILLISECONDS = 30_000;
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

const digest = (text) => createHash('sha256').update(text).digest();

/** Serves the state. Neither the server, nor its clients, nor its timers keep the process alive. */
export class StateServer {
  #options;
  #body;
  #server;
  #retry;
  #retryTimer;
  #sockets = new Set();
  #waiting = new WeakSet();
  #token;
  #due = 0;

  /** `body` gives the document's bytes. */
  constructor(options, body, { retry = RETRY_MILLISECONDS } = {}) {
    this.#retry = retry;
    this.#options = options;
    this.#body = body;
    this.#token = options.token && digest(`Bearer ${options.token}`);
    this.#server = createServer(
      {
        requestTimeout: REQUEST_MILLISECONDS,
        headersTimeout: REQUEST_MILLISECONDS,
        keepAliveTimeout: REQUEST_MILLISECONDS,
        connectionsCheckingInterval: 1000,
        maxHeaderSize: 8192,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS;
    this.#server.on('connection', (socket) => this.#welcome(socket));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('error', (error) => this.#failed(error));
  }

  start() {
    const { host, port } = this.#options;
    try {
      this.#server.listen({ host, port, exclusive: true }).unref();
    } catch (error) {
      this.#failed(error);
    }
  }

  stop() {
    clearTimeout(this.#retryTimer);
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  address() {
    return this.#server.address();
  }

  #failed(error) {
    if (this.#server.listening) return; // one client could not be accepted
    const { host, port } = this.#options;
    say(
      `${host}:${port} cannot be served (${error.code ?? error.message}); tried again every ${this.#retry / 1000} s`,
    );
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.start(), this.#retry).unref();
  }

  #welcome(socket) {
    socket.unref();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #answer(request, response) {
    const { socket } = request;
    // A timeout for idle sockets would let a client hold its place by reading a byte now and then.
    const deadline = setTimeout(() => socket.destroy(), REQUEST_MILLISECONDS).unref();
    response.on('close', () => clearTimeout(deadline));
    if (this.#waiting.has(socket)) {
      socket.destroy();
      return;
    }
    const wait = this.#wait();
    if (wait === 0) {
      this.#route(request, response);
      return;
    }
    this.#waiting.add(socket);
    setTimeout(() => {
      this.#waiting.delete(socket);
      if (!socket.destroyed) this.#route(request, response);
    }, wait).unref();
  }

  /** Milliseconds until a request may be answered: haste costs the client time, not the bot. */
  #wait() {
    const time = performance.now();
    this.#due = Math.max(this.#due + 1000 / REQUESTS_PER_SECOND, time);
    return Math.max(0, this.#due - time - (1000 * REQUEST_BURST) / REQUESTS_PER_SECOND);
  }

  #route(request, response) {
    try {
      this.#respond(request, response);
    } catch {
      request.socket.destroy();
    }
  }

  #respond(request, response) {
    if (!this.#isAllowed(request)) return refuse(response, 401, { 'www-authenticate': 'Bearer' });
    if (!this.#isMeant(request)) return refuse(response, 421);
    if (request.url.split('?', 1)[0] !== '/state') return refuse(response, 404);
    if (request.method !== 'GET') return refuse(response, 405, { allow: 'GET' });
    const body = this.#body();
    response.writeHead(200, {
      ...HEADERS,
      'content-type': 'application/json',
      'content-length': body.length,
    });
    return response.end(body);
  }

  #isAllowed(request) {
    return !this.#token || timingSafeEqual(digest(request.headers.authorization ?? ''), this.#token);
  }

  /** A page in a browser can reach a loopback address under a name of its own; the Host header gives that away. */
  #isMeant(request) {
    if (this.#token || !isLoopback(this.#options.host)) return true;
    return LOCAL_HOST.test(request.headers.host ?? '');
  }
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

function refuse(response, status, headers = {}) {
  response.writeHead(status, { ...HEADERS, ...headers, 'content-length': 0 });
  response.end();
}
