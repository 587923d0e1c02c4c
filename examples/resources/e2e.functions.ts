/**
 * The same in TypeScript, on E2E's API (SERVICE_API_ENDPOINT, SERVICE_AUTH_TOKEN, SERVICE_API_KEY): the editor knows the
 * fields, and one function for each stage comes from a loop. DB_PASSWORD goes to the provider and into no file.
 */
import { declare, type FunctionDeclaration } from 'jobferry/resources';

const report = (memoryMb: number): FunctionDeclaration => ({
  runtime: 'python3.11',
  template: 'flask',
  code_inline: 'def handle(event, context):\n    return {"statusCode": 200, "body": "ok"}\n',
  config: { memory_mb: memoryMb, timeout_seconds: 120, replicas: 2 },
  secrets: ['db-password'],
});

// biome-ignore lint/style/noDefaultExport: what a file declares is its default export
export default declare({
  provider: 'e2e-platform',
  functions: { 'report-staging': report(256), 'report-live': report(1024) },
  secrets: { 'db-password': { value_env: 'DB_PASSWORD' } },
  outputs: { url: 'function.report-live.invoke_url' },
});
