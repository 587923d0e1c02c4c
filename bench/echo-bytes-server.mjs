// The other end of the payload bench: gives back the bytes it gets, in each of the three encodings. Its own process.
import { createServer } from 'node:http';

const OCTETS = 'application/octet-stream';
const about = {
  spec: '1.1',
  platform: 'bench',
  version: '0',
  limits: {},
  features: ['binary', 'call-context'],
};

const answers = {
  // Spec 1.1, as it is.
  [OCTETS]: (body) => body,
  // What JSON.parse and JSON.stringify make of the other two.
  'application/json': (body) => {
    const { args, args_base64 } = JSON.parse(body.toString());
    if (args_base64 === undefined) {
      return JSON.stringify({ job_id: 0, success: true, result: Array.from(Uint8Array.from(args)) });
    }
    const bytes = Buffer.from(args_base64, 'base64');
    return JSON.stringify({ job_id: 0, success: true, result_base64: bytes.toString('base64') });
  },
};

const server = createServer(async (request, response) => {
  const body = await read(request);
  if (request.url === '/api') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(about));
    return;
  }
  const type = request.headers['content-type'];
  const answer = answers[type](body);
  response.writeHead(200, {
    'content-type': type,
    'x-faas-job-id': '0',
    'content-length': Buffer.byteLength(answer),
  });
  response.end(answer);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));

/** Into one buffer of the announced length: what a server does that cares for large bodies. */
function read(request) {
  const body = Buffer.allocUnsafeSlow(Number(request.headers['content-length'] ?? 0));
  let length = 0;
  request.on('data', (chunk) => {
    length += chunk.copy(body, length);
  });
  return new Promise((resolve) => request.on('end', () => resolve(body)));
}
