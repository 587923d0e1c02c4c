// Packs 50 MB in a process of its own and says how much memory that took at the peak.
import { randomFillSync } from 'node:crypto';
import { packageFiles } from 'jobferry/packaging';

const bytes = Buffer.alloc(50_000_000);
// Half of it can be compressed.
randomFillSync(bytes, 0, 25_000_000);
const { bytes: zip } = await packageFiles([{ path: 'function', bytes, mode: 0o755 }]);
// maxRSS is in KiB.
console.log(JSON.stringify({ residentMb: process.resourceUsage().maxRSS / 1024, zipMb: zip.length / 1e6 }));
