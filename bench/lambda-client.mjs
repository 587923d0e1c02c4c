// One way to call Lambda, in a process of its own: each line on stdin is a lap, answered with its rates.
import { createInterface } from 'node:readline';

const [, , way, endpoint, inFlight, calls] = process.argv;
const region = 'eu-central-1';
const credentials = { accessKeyId: 'AKIDBENCH', secretAccessKey: 'bench' };
const args = new Uint8Array(100).fill(65);
const ways = { sdk, jobferry };
const send = await ways[way]();

for await (const _ of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const startMs = performance.now();
  let sent = 0;
  const lane = async () => {
    while (sent < Number(calls)) {
      sent += 1;
      await send(sent);
    }
  };
  await Promise.all(Array.from({ length: Number(inFlight) }, lane));
  const { user, system } = process.cpuUsage(before);
  const perSecond = calls / ((performance.now() - startMs) / 1000);
  console.log(JSON.stringify({ perSecond, perCpuSecond: calls / ((user + system) / 1e6) }));
}
process.exit(0);

async function sdk() {
  const { InvokeCommand, LambdaClient } = await import('@aws-sdk/client-lambda');
  const client = new LambdaClient({ region, endpoint, credentials, maxAttempts: 1 });
  const event = () => JSON.stringify({ job_id: 7, args_base64: Buffer.from(args).toString('base64') });
  return () => client.send(new InvokeCommand({ FunctionName: 'jobferry-job-7', Payload: event() }));
}

async function jobferry() {
  const { callContext } = await import('jobferry');
  const { LambdaExecutor } = await import('jobferry/aws-lambda');
  const executor = new LambdaExecutor({ region, endpoint, credentials });
  const facts = { attempt: 1, deadline: Infinity, idempotent: false, metadata: {} };
  return (n) => executor.invoke({ jobId: 7, args, callId: `bench-${n}`, ...facts }, callContext());
}
