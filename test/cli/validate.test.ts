import { describe, expect, it } from 'vitest';
import { declared } from './declared.js';

const TEXT = `provider: nobody
functions:
  one:
    runtime: cobol
    code_path: nowhere.py
    provider: custom-htp
  two: { runtime: python3.11, code_inline: x }
secrets:
  db: { value_env: DB }
outputs:
  url: function.two.invoke_ur
`;

describe('jobferry validate', () => {
  it('finds what an apply would fail for, all at once', async () => {
    await using world = await declared(TEXT);
    const { code, stdout } = await world.run('validate');
    expect(code).toBe(1);
    for (const text of [
      /error: .*f\.yaml:1: provider "nobody" is no provider\. Use one of custom-http, /,
      /error: .*f\.yaml:4: functions\.one\.runtime "cobol" is no runtime/,
      /error: .*f\.yaml:5: functions\.one\.code_path cannot be read: ENOENT.*nowhere\.py/,
      /error: .*f\.yaml:6: functions\.one\.provider "custom-htp" is no provider/,
      /warning: .*secrets\.db\.value_env names the variable DB, which is not set here/,
      /error: .*f\.yaml:11: outputs\.url a function has no `invoke_ur`.*Did you mean `invoke_url`\?/,
      /^5 faults\.$/m,
    ]) {
      expect(stdout).toMatch(text);
    }
    world.env['DB'] = 'hunter2';
    expect((await world.run('validate')).stdout).not.toContain('secrets.db');
  });

  it.each([
    'functions: 1\nsecrets: [x]\n',
    'functions: { a: 1 }\nsecrets: { b: 2 }\n',
    '[1]',
    'functions:\n  one: &a { environment: *a }\n',
  ])('says of %j what is wrong, and does not crash', async (text) => {
    await using world = await declared(text);
    const { code, stdout, stderr } = await world.run('validate');
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(/error: .*f\.yaml:\d+: /);
  });
});
