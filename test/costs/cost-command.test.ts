import { describe, expect, it } from 'vitest';
import { costCommand } from '../../src/cli/commands/cost.js';
import type { Report } from '../../src/cli/report.js';

async function cost(...args: string[]): Promise<Report> {
  let report: Report | undefined;
  const command = costCommand((finished) => {
    report = finished;
  });
  await command
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parseAsync(args, { from: 'user' });
  if (report === undefined) throw new Error('no report');
  return report;
}

describe('jobferry cost', () => {
  it('prints each plan with and without the free tier, and where the figures come from', async () => {
    const { lines } = await cost('--calls', '3e6', '--ms', '120', '--memory', '512');
    const text = lines.join('\n');
    expect(text).toMatch(/aws-lambda\* +on demand, x86_64 +3\.60 USD +0\.40 USD +120 ms, 512 MB/);
    expect(text).toMatch(/e2e-openfaas\* .*no estimate: its rates are not known/);
    expect(text).toMatch(/aws-lambda .*us-east-1, read \d{4}-\d\d-\d\d at https:/);
    expect(text).toMatch(/\* not confirmed by the provider's own page/);
  });

  it('can look at one provider, and gives the figures as data', async () => {
    const { data } = await cost('--calls', '10', '--ms', '1', '--provider', 'digitalocean');
    expect(data['workload']).toEqual({ calls: 10, durationMs: 1, memoryMb: 512 });
    expect(data['estimates']).toMatchObject([{ prices: { provider: 'digitalocean' }, billedMs: 100 }]);
  });

  it.each([
    ['--calls', 'many', '--ms', '1'],
    ['--calls', '-1', '--ms', '1'],
    ['--calls', '1'],
    ['--calls', '1', '--ms', '1', '--provider', 'nobody'],
    ['--calls', '1', '--ms', '1', '--memory', '0'],
  ])('refuses %s %s %s %s %s %s', async (...args) => {
    await expect(cost(...args)).rejects.toThrow();
  });
});
