// `npm run test:live -- aws [gcp …]`: runs the example of each cloud against the cloud itself. Costs money, needs
// credentials, cleans up after itself. What is missing in the environment is said before anything is called.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { node, root } from './build-state.mjs';

/** Cloud -> its example, and the variables without which it cannot start. */
const CLOUDS = {
  aws: { example: 'aws-lambda.ts', needs: ['AWS_REGION', 'JOBFERRY_AWS_ROLE'] },
  gcp: { example: 'gcp-functions.ts', needs: ['GOOGLE_CLOUD_PROJECT', 'JOBFERRY_GCP_REGION'] },
  azure: { example: 'azure-functions.ts', needs: ['AZURE_SUBSCRIPTION_ID', 'JOBFERRY_AZURE_LOCATION'] },
  digitalocean: { example: 'digitalocean.ts', needs: ['DIGITALOCEAN_TOKEN', 'JOBFERRY_DO_REGION'] },
  e2e: { example: 'e2e-openfaas.ts', needs: ['E2E_FAAS_URL', 'E2E_API_KEY', 'E2E_AUTH_TOKEN'] },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in CLOUDS));
if (wanted.length === 0 || unknown.length > 0) {
  console.error(`Use: npm run test:live -- ${Object.keys(CLOUDS).join(' | ')}`);
  process.exit(2);
}
let failed = 0;
for (const name of wanted) {
  const { example, needs } = CLOUDS[name];
  const missing = needs.filter((variable) => !process.env[variable]);
  if (missing.length > 0) {
    console.error(`${name}: not run, set ${missing.join(' and ')} first`);
    failed += 1;
    continue;
  }
  const code = await run(join(root, 'examples', example));
  console.log(`${name}: ${code === 0 ? 'ok' : `FAILED with exit code ${code}`}`);
  if (code !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;

function run(file) {
  return new Promise((resolve, reject) => {
    const child = spawn(node(), [file], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', resolve);
  });
}
