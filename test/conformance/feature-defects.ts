/** Platforms that are broken in a feature of 1.1, in discovery or in how they ask for keys. */
import { ALL_FEATURES, type Rules } from './platform/rules.js';
import { withBody, without } from './replies.js';

export interface Defect {
  readonly name: string;
  readonly rules: Partial<Rules>;
  readonly section: string;
  /** All of these must fail. */
  readonly caughtBy: readonly string[];
  /** The platform demands this key and the run has it. */
  readonly key?: string;
}

const KEY = 'the-key';

export const FEATURE_DEFECTS: readonly Defect[] = [
  {
    name: 'drops metadata on its way back',
    rules: {
      after: (reply) => withBody(reply, { metadata: undefined }),
    },
    section: 'context',
    caughtBy: ['context-06'],
  },
  {
    name: 'ignores the caller’s time limit',
    rules: { limitMs: (config) => config.timeout_secs * 1000 },
    section: 'context',
    caughtBy: ['context-08'],
  },
  {
    name: 'gives every reply the same request id',
    rules: {
      after: (reply) => ({ ...reply, headers: { ...reply.headers, 'x-faas-request-id': 'always-the-same' } }),
    },
    section: 'context',
    caughtBy: ['context-03'],
  },
  {
    name: 'takes raw arguments for text',
    rules: {
      before: (request) => {
        if (request.headers['content-type'] !== 'application/octet-stream') return undefined;
        const body = Buffer.from(request.body.toString('utf8'));
        return request.path.endsWith('/invoke') && !body.equals(request.body)
          ? { status: 200, body, headers: { 'x-faas-job-id': '7', 'x-faas-execution-ms': '1' } }
          : undefined;
      },
    },
    section: 'binary',
    caughtBy: ['binary-02', 'binary-04'],
  },
  {
    name: 'runs an idempotent call again',
    rules: { replays: 'runs-again' },
    section: 'idempotency',
    caughtBy: ['idempotency-01', 'idempotency-05'],
  },
  {
    name: 'replays a key whatever its content',
    rules: { replays: 'whatever-the-content' },
    section: 'idempotency',
    caughtBy: ['idempotency-03', 'idempotency-04'],
  },
  {
    name: 'answers 202 for an unknown function',
    rules: { acceptsUnknownFunction: true },
    section: 'async',
    caughtBy: ['async-02'],
  },
  {
    name: 'gives an invocation two terminal statuses',
    rules: { terminalIsFinal: false },
    section: 'cancel',
    caughtBy: ['cancel-02'],
  },
  {
    name: 'does not look at If-Match',
    rules: { checksPreconditions: false },
    section: 'conditional',
    caughtBy: ['conditional-04', 'conditional-05', 'conditional-06', 'conditional-07'],
  },
  {
    name: 'lists functions in no order',
    rules: {
      after: (reply, { path }) =>
        path.startsWith('/api/functions?') && 'functions' in reply.body && Array.isArray(reply.body.functions)
          ? withBody(reply, { functions: reply.body.functions.toReversed() })
          : reply,
    },
    section: 'list',
    caughtBy: ['list-01'],
  },
  {
    name: 'keeps no logs of what it lists as logs',
    rules: {
      before: ({ path }) =>
        /\/logs(\?|$)/.test(path)
          ? { status: 200, body: Buffer.alloc(0), headers: { 'content-type': 'application/x-ndjson' } }
          : undefined,
    },
    section: 'logs',
    caughtBy: ['logs-01', 'logs-03'],
  },
  {
    name: 'offers what it does not list',
    rules: {
      features: ALL_FEATURES,
      after: (reply, { path }) => (path === '/api' ? withBody(reply, { features: ['head'] }) : reply),
    },
    section: 'discovery',
    caughtBy: ['discovery-04', 'discovery-05'],
  },
  {
    name: 'lets everybody in although it has a key',
    rules: { checksHost: false },
    key: KEY,
    section: 'auth',
    caughtBy: ['auth-02', 'auth-03', 'auth-06'],
  },
  {
    name: 'refuses without saying which key it wants',
    rules: { key: KEY, after: (reply) => without(reply, 'www-authenticate') },
    key: KEY,
    section: 'auth',
    caughtBy: ['auth-02'],
  },
];
