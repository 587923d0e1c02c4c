/** A whole FaaS platform in ten lines: it speaks the custom-FaaS spec on a loopback port. */
import { startPlatform } from '@jobferry/platform';

const platform = await startPlatform({ port: Number(process.env['PORT'] ?? 8080), dataDir: '.jobferry' });
console.log(`listening on ${platform.url}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void platform.close());
}
