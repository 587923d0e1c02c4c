import { describe, expect, it } from 'vitest';
import { useColour } from '../../src/cli/colour.js';
import { planData, planLines } from '../../src/cli/resources/render.js';
import {
  type Declarations,
  emptyState,
  plan,
  resolveDeclarations,
  type State,
  withResource,
} from '../../src/resources/index.js';

const file: Declarations = {
  provider: 'e2e-platform',
  functions: {
    greet: {
      name: 'greeter',
      runtime: 'python3.11',
      namespace: 'team',
      code_inline: 'x',
      handler_function: 'hello',
      environment: { LEVEL: '9' },
      secrets: ['db'],
      labels: { a: 'b' },
      job_id: 7,
    },
  },
  secrets: { db: { value_env: 'DB' } },
};
const desired = (state: State) =>
  resolveDeclarations(file, {
    codeSha256: new Map([['function.greet', 'c'.repeat(64)]]),
    secretValues: new Map([['secret.db', 'hunter2']]),
    secretKey: state.secret_key,
  });

describe('a create in a plan', () => {
  const state = emptyState();
  const made = plan(state, desired(state));

  it('shows all that was asked for', () => {
    const text = planLines(made, [], false).join('\n');
    for (const line of [
      '+ function.greet will be created\n',
      '+ provider: "e2e-platform"',
      '+ name: "greeter"',
      '+ namespace: "team"',
      '+ code_sha256: cccccccccccc…',
      '+ handler_function: "hello"',
      '+ config.memory_mb: 128',
      '+ environment.LEVEL: "9"',
      '+ secrets: ["db"]',
      '+ labels.a: "b"',
      '+ job_id: 7',
      '+ secret.db will be created\n',
      '+ value: (sensitive)',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).not.toContain('requirements');
  });

  it('has it in JSON too, without the hash of a secret', () => {
    const { actions } = planData(made, []);
    expect(actions.find(({ key }) => key === 'function.greet')?.changes).toContainEqual({
      path: 'namespace',
      after: 'team',
    });
    expect(actions.find(({ key }) => key === 'secret.db')?.changes).toContainEqual({
      path: 'value',
      sensitive: true,
    });
  });

  it('says when it deletes first what an earlier one may have left', () => {
    const [secret, one] = desired(state);
    if (one?.type !== 'function' || secret === undefined) throw new Error('no function');
    const { type, address, provider, ...attributes } = one;
    const broken = withResource(state, address, {
      type,
      address,
      provider,
      attributes,
      dependencies: [],
      status: 'creating',
    });
    expect(planLines(plan(broken, [secret, one]), [], false).join('\n')).toContain(
      'function.greet will be created because its create broke off: what may be there of it is removed first',
    );
  });

  it('is coloured when that is wanted', () => {
    expect(planLines(made, [], true).join('')).toContain('\u001b[32m');
    expect(planLines(made, [], false).join('')).not.toContain('\u001b');
  });
});

describe('colours', () => {
  it.each([
    ['a terminal', { isTTY: true }, {}, true],
    ['a file', {}, {}, false],
    ['NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', { isTTY: true }, { NO_COLOR: '' }, true],
    ['FORCE_COLOR', {}, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
    ['FORCE_COLOR=0', { isTTY: true }, { FORCE_COLOR: '0' }, false],
  ])('by %s', (_, stream, env, expected) => expect(useColour(stream, env)).toBe(expected));
});
