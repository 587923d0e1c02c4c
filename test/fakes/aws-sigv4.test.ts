import aws4 from 'aws4';
import { describe, expect, it } from 'vitest';
import { refuseSignature, signatureOf } from './aws-sigv4.js';

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

describe('the signature check of the fake', () => {
  it('agrees with AWS’s published test case get-vanilla', () => {
    const headers = { host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z' };
    const request = { method: 'GET', target: '/', headers, body: new Uint8Array(0) };
    const scope = {
      service: 'service',
      region: 'us-east-1',
      date: '20150830T123600Z',
      signedHeaders: 'host;x-amz-date',
      secret: SECRET,
    };
    expect(signatureOf(request, scope)).toBe(
      '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
  });

  it('agrees with the worked example of the AWS documentation (IAM ListUsers)', () => {
    const headers = {
      host: 'iam.amazonaws.com',
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'x-amz-date': '20150830T123600Z',
    };
    const request = {
      method: 'GET',
      target: '/?Action=ListUsers&Version=2010-05-08',
      headers,
      body: new Uint8Array(0),
    };
    const scope = {
      service: 'iam',
      region: 'us-east-1',
      date: '20150830T123600Z',
      signedHeaders: 'content-type;host;x-amz-date',
      secret: SECRET,
    };
    expect(signatureOf(request, scope)).toBe(
      '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    );
  });

  it.each([
    '/2015-03-31/functions/job/invocations',
    '/2015-03-31/functions/a%3Ab/invocations?Qualifier=%24LATEST',
  ])('accepts what aws4 signs for %s, and nothing that was changed afterwards', (path) => {
    const body = Buffer.from('{"a":1}');
    const signed = aws4.sign(
      {
        service: 'lambda',
        region: 'us-east-1',
        method: 'POST',
        host: 'localhost',
        path,
        body,
        headers: { 'content-type': 'application/json' },
      },
      { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET },
    );
    const headers = Object.fromEntries(
      Object.entries(signed.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    const keys = new Map([['AKIDEXAMPLE', { secretAccessKey: SECRET }]]);
    const expected = { region: 'us-east-1', services: ['lambda'], nowMs: Date.now() };
    const request = { method: 'POST', target: String(signed.path), headers, body };
    expect(refuseSignature(request, keys, expected)).toBeUndefined();
    expect(refuseSignature({ ...request, body: Buffer.from('{"a":2}') }, keys, expected)?.type).toBe(
      'InvalidSignatureException',
    );
    expect(refuseSignature({ ...request, target: `${request.target}x` }, keys, expected)?.type).toBe(
      'InvalidSignatureException',
    );
    expect(refuseSignature(request, keys, { ...expected, region: 'eu-west-1' })?.type).toBe(
      'InvalidSignatureException',
    );
    expect(refuseSignature(request, keys, { ...expected, nowMs: Date.now() + 600_000 })?.message).toContain(
      'expired',
    );
    expect(refuseSignature(request, new Map(), expected)?.type).toBe('UnrecognizedClientException');
  });
});
