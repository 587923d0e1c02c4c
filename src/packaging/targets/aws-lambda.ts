/** Packages for AWS Lambda: an `index.mjs` with a `handler`, for Lambda's own Node.js runtimes. */
import { openStore, ownModule } from '../own-package.js';
import type { PackageTarget } from '../target.js';

const ENTRY = 'executors/aws-lambda/entry';

/** A top-level await is fine here. An executable must run on Amazon Linux 2023 of the function's architecture. */
export const awsLambda: PackageTarget = {
  name: 'aws-lambda',
  format: 'esm',
  file: 'index.mjs',
  handlerModule: (jobs) => `
    import { lambdaHandler, lambdaStream, startLambda } from ${JSON.stringify(ownModule(ENTRY))};
    import { jobsOf } from ${JSON.stringify(ownModule('packaging/bootstrap/jobs'))};
    let findJob;
    export const handler = await startLambda(async () => {
      findJob = jobsOf(await import(${JSON.stringify(jobs)}));
      return lambdaHandler(findJob, ${openStore()});
    });
    export const stream = lambdaStream(findJob);`,
  executableModule: () => `
    import { executableHandler, startLambda } from ${JSON.stringify(ownModule(ENTRY))};
    export const handler = await startLambda(async () => executableHandler(import.meta.dirname + '/function', ${openStore()}));`,
  // Tells the executor that this package knows warm pings and secrets.
  files: () => [{ path: 'jobferry-lambda.json', bytes: '{"entry":1}\n' }],
};
