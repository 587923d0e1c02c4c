/** `npm run bench [-- --rounds N] [http|lambda|import|local|packaging|payload|platform|targets …]`: ratios, measured side by side in this one run. */
import { parseArgs } from 'node:util';
import { httpBench } from './http.ts';
import { importBench } from './imports.ts';
import { lambdaBench } from './lambda.ts';
import { localBench } from './local.ts';
import { packagingBench } from './packaging.ts';
import { payloadBench } from './payload.ts';
import { platformBench } from './platform.ts';
import { targetsBench } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '9' } },
});
const rounds = Number(values.rounds);
const benches: Record<string, (rounds: number) => Promise<void>> = {
  http: httpBench,
  lambda: lambdaBench,
  import: importBench,
  local: localBench,
  packaging: packagingBench,
  payload: payloadBench,
  platform: platformBench,
  targets: targetsBench,
};
const unknown = positionals.filter((name) => benches[name] === undefined);
if (unknown.length > 0 || !(rounds >= 1)) {
  console.error(`Use: npm run bench -- [--rounds N] [${Object.keys(benches).join('|')} …]`);
  process.exit(2);
}
console.log(`${rounds} rounds in random order; x = median ratio to the first line (lowest-highest)`);
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length === 0 || positionals.includes(name)) await bench(rounds);
}
process.exit(0);
