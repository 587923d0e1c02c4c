import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { createKey, listKeys, revokeKey, startPlatform } from '../src/index.js';
import { echo } from './support/bootstraps.js';
import { eventually, tempFolder, testPlatform } from './support/platform.js';
import { bootstrapZip } from './support/zip.js';

const bearer = (key: string): { headers: { Authorization: string } } => ({
  headers: { Authorization: `Bearer ${key}` },
});

describe('keys', () => {
  it('are shown once, kept as a hash, in a file only the owner can read', async () => {
    const dataDir = await tempFolder();
    const { key, ...record } = await createKey({ dataDir, name: 'ci' });
    expect(key).toMatch(/^faas_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/);
    expect(record).toMatchObject({ name: 'ci', rights: ['read', 'invoke', 'deploy'] });
    const [file] = await readdir(join(dataDir, 'keys'));
    const path = join(dataDir, 'keys', file ?? '');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).not.toContain(key.split('_').slice(2).join('_'));
    expect(await listKeys({ dataDir })).toEqual([record]);
  });

  it('are listed, also when they are revoked, and are revoked only once', async () => {
    const dataDir = await tempFolder();
    expect(await listKeys({ dataDir })).toEqual([]);
    const { id } = await createKey({ dataDir, name: 'a' });
    await createKey({ dataDir, name: 'b', rights: ['invoke'], expiresAt: new Date('2999-01-01') });
    expect(await revokeKey({ dataDir, id })).toBe(true);
    const revoked = (await listKeys({ dataDir })).find((key) => key.id === id);
    expect(await revokeKey({ dataDir, id })).toBe(true);
    expect((await listKeys({ dataDir })).find((key) => key.id === id)).toEqual(revoked);
    expect(revoked?.revokedAt).toEqual(expect.any(String));
    expect(await revokeKey({ dataDir, id: 'aaaaaaaaaaaa' })).toBe(false);
    expect(await revokeKey({ dataDir, id: '../../etc/x' })).toBe(false);
  });

  it('need a name and known rights', async () => {
    const dataDir = await tempFolder();
    await expect(createKey({ dataDir, name: ' ' })).rejects.toThrow('name');
    await expect(createKey({ dataDir, name: 'x', rights: [] })).rejects.toThrow('rights');
    await expect(createKey({ dataDir, name: 'x', rights: ['root' as 'read'] })).rejects.toThrow('rights');
  });
});

describe('a platform that demands keys', () => {
  it('does not start without one that can be used', async () => {
    const dataDir = await tempFolder();
    const refused = /holds none that can be used. Make one with: jobferry keys create/;
    await expect(startPlatform({ port: 0, dataDir, requireKey: true })).rejects.toThrow(refused);
    await createKey({ dataDir, name: 'old', expiresAt: new Date(Date.now() - 1) });
    await revokeKey({ dataDir, id: (await createKey({ dataDir, name: 'lost' })).id });
    await expect(startPlatform({ port: 0, dataDir, requireKey: true })).rejects.toThrow(refused);
    await createKey({ dataDir, name: 'good' });
    await using server = await testPlatform({ dataDir, requireKey: true });
    expect((await server.request('GET', '/api')).status).toBe(401);
  });

  it('cannot be told to do without on an address that others reach', async () => {
    await expect(
      startPlatform({ host: '0.0.0.0', port: 0, dataDir: await tempFolder(), requireKey: false }),
    ).rejects.toThrow('anybody who reaches the address could run code');
  });

  it('is reached by other addresses than loopback, with a key', async () => {
    const address = Object.values(networkInterfaces())
      .flatMap((one) => one ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    const dataDir = await tempFolder();
    const { key } = await createKey({ dataDir, name: 'remote' });
    await using platform = await startPlatform({ host: '0.0.0.0', port: 0, dataDir });
    // A machine without a network has no other address to come from.
    const url = `http://${address ?? '127.0.0.1'}:${platform.port}/api`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, bearer(key))).status).toBe(200);
  });

  it('answers 401 with WWW-Authenticate to every route, known or not, without a valid key', async () => {
    const dataDir = await tempFolder();
    const { key, id } = await createKey({ dataDir, name: 'good' });
    await using server = await testPlatform({ dataDir, requireKey: true });
    const secret = key.split('_').slice(2).join('_');
    const wrong = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      `Basic ${Buffer.from(`x:${key}`).toString('base64')}`,
      `Bearer ${key.slice(0, -1)}`,
      `Bearer ${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`,
      `Bearer faas_aaaaaaaaaaaa_${secret}`,
      `Bearer faas_${id}_${'A'.repeat(43)}`,
      `Bearer faas_../../keys/${id}_${secret}`,
      `Bearer ${key} ${key}`,
      'Bearer __proto__',
    ];
    for (const authorization of wrong) {
      const headers = authorization === undefined ? {} : { Authorization: authorization };
      const reply = await server.request('GET', '/api/functions', { headers });
      expect([authorization, reply.status, reply.body.code, reply.body.executed]).toEqual([
        authorization,
        401,
        'UNAUTHORIZED',
        'no',
      ]);
      expect(reply.headers.get('www-authenticate')).toBe('Bearer');
      expect(JSON.stringify(reply.body)).not.toContain(secret);
    }
    for (const [method, path] of [
      ['GET', '/api'],
      ['GET', '/nowhere'],
      ['PUT', '/api/functions/x'],
      ['POST', '/api/functions/x/invoke'],
      ['POST', '/job/1'],
      ['GET', '/api/invocations'],
      ['POST', '/api/invocations/x/cancel'],
      ['GET', '/api/functions/x/logs'],
      ['TRACE', '/api'],
    ] as const) {
      if (method === 'TRACE') continue;
      expect([path, (await server.request(method, path)).status]).toEqual([path, 401]);
    }
    expect((await server.request('GET', '/api', bearer(key))).status).toBe(200);
    expect((await server.request('GET', '/nowhere', bearer(key))).status).toBe(404);
    expect(JSON.stringify(server.log)).not.toContain(secret);
  });

  it('does so before it reads the body', async () => {
    const dataDir = await tempFolder();
    await createKey({ dataDir, name: 'good' });
    await using server = await testPlatform({ dataDir, requireKey: true });
    const reply = await new Promise<string>((resolve, reject) => {
      const head = `PUT /api/functions/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/zip\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`;
      let text = '';
      const socket = connect(server.platform.port, '127.0.0.1', () => socket.write(head));
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(reply).toMatch(/^HTTP\/1\.1 401 /);
    expect(reply).not.toContain('100 Continue');
    expect(await readdir(join(dataDir, 'incoming'))).toEqual([]);
  });

  it('answers 403 FORBIDDEN to a key without the right, whatever the route', async () => {
    const dataDir = await tempFolder();
    const keys = {
      read: (await createKey({ dataDir, name: 'r', rights: ['read'] })).key,
      invoke: (await createKey({ dataDir, name: 'i', rights: ['invoke'] })).key,
      deploy: (await createKey({ dataDir, name: 'd', rights: ['deploy'] })).key,
    };
    await using server = await testPlatform({ dataDir, requireKey: true });
    const put = await server.request('PUT', '/api/functions/x', {
      body: bootstrapZip(echo),
      headers: { ...bearer(keys.deploy).headers, 'Content-Type': 'application/zip' },
    });
    expect(put.status).toBe(200);
    const allowed: Record<string, (keyof typeof keys)[]> = {
      'GET /api': ['read', 'invoke', 'deploy'],
      'GET /api/functions': ['read', 'deploy'],
      'GET /api/functions/x': ['read', 'invoke', 'deploy'],
      'GET /api/functions/x/health': ['read', 'invoke', 'deploy'],
      'GET /api/functions/x/logs': ['read'],
      'POST /api/functions/x/warm': ['invoke', 'deploy'],
      'POST /api/functions/x/invoke': ['invoke'],
      'POST /job/1': ['invoke'],
      'HEAD /job/1': ['read', 'invoke', 'deploy'],
      'GET /api/invocations': ['read'],
      'GET /api/invocations/x': ['read', 'invoke'],
      'GET /api/invocations/x/result': ['read', 'invoke'],
      'POST /api/invocations/x/cancel': ['invoke'],
      'PUT /api/functions/x': ['deploy'],
      'DELETE /api/functions/x': ['deploy'],
    };
    for (const [route, rights] of Object.entries(allowed)) {
      const [method = '', path = ''] = route.split(' ');
      for (const right of ['read', 'invoke', 'deploy'] as const) {
        const { status } = await server.request(method, path, bearer(keys[right]));
        expect([route, right, status === 403]).toEqual([route, right, !rights.includes(right)]);
        expect(status).not.toBe(401);
      }
    }
  });

  it('refuses a key within a second of its revocation, and takes a new one at once', async () => {
    const dataDir = await tempFolder();
    const { key, id } = await createKey({ dataDir, name: 'a' });
    await using server = await testPlatform({ dataDir, requireKey: true });
    expect((await server.request('GET', '/api', bearer(key))).status).toBe(200);
    await revokeKey({ dataDir, id });
    const revokedAt = performance.now();
    await eventually(
      async () => (await server.request('GET', '/api', bearer(key))).status === 401,
      'it is refused',
    );
    expect(performance.now() - revokedAt).toBeLessThan(5000);
    const second = await createKey({ dataDir, name: 'b' });
    expect((await server.request('GET', '/api', bearer(second.key))).status).toBe(200);
  });

  it('refuses a key when its time is over', async () => {
    const dataDir = await tempFolder();
    const { key } = await createKey({ dataDir, name: 'a', expiresAt: new Date(Date.now() + 1500) });
    await using server = await testPlatform({ dataDir, requireKey: true });
    expect((await server.request('GET', '/api', bearer(key))).status).toBe(200);
    await eventually(
      async () => (await server.request('GET', '/api', bearer(key))).status === 401,
      'it expires',
    );
  });

  it('lets nobody in by a damaged file', async () => {
    const dataDir = await tempFolder();
    const { key, id } = await createKey({ dataDir, name: 'a' });
    await using server = await testPlatform({ dataDir, requireKey: true });
    await mkdir(join(dataDir, 'keys'), { recursive: true });
    await writeFile(join(dataDir, 'keys', `${id}.json`), '{}');
    await eventually(
      async () => (await server.request('GET', '/api', bearer(key))).status === 401,
      'it is refused',
    );
    expect(server.log.some(({ event }) => event === 'key-unreadable')).toBe(true);
  });

  it('still checks the Host header on loopback', async () => {
    const dataDir = await tempFolder();
    const { key } = await createKey({ dataDir, name: 'a' });
    await using server = await testPlatform({ dataDir, requireKey: true });
    const reply = await new Promise<string>((resolve, reject) => {
      const socket = connect(server.platform.port, '127.0.0.1', () =>
        socket.end(
          `GET /api HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n\r\n`,
        ),
      );
      socket.on('data', (chunk) => resolve(chunk.toString()));
      socket.on('error', reject);
    });
    expect(reply).toMatch(/^HTTP\/1\.1 403 /);
  });
});
