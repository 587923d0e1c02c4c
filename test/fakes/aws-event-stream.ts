/** Writes the frames of `application/vnd.amazon.eventstream` (Smithy specification, "Event stream"). */
import { crc32 } from 'node:zlib';

export function frame(headers: Readonly<Record<string, string>>, payload: Uint8Array): Buffer {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)];
      const length = Buffer.alloc(2);
      length.writeUInt16BE(valueBytes.length);
      return Buffer.concat([Buffer.of(nameBytes.length), nameBytes, Buffer.of(7), length, valueBytes]);
    }),
  );
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(12 + head.length + payload.length + 4, 0);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const body = Buffer.concat([prelude, head, payload]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([body, checksum]);
}

export function payloadChunk(bytes: Uint8Array): Buffer {
  const headers = {
    ':event-type': 'PayloadChunk',
    ':content-type': 'application/octet-stream',
    ':message-type': 'event',
  };
  return frame(headers, bytes);
}

export function invokeComplete(fields: Readonly<Record<string, string>> = {}): Buffer {
  const headers = {
    ':event-type': 'InvokeComplete',
    ':content-type': 'application/json',
    ':message-type': 'event',
  };
  return frame(headers, Buffer.from(JSON.stringify(fields)));
}
