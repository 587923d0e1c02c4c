// The other end of the HTTP benches: reads the request, answers a fixed spec-1.0 reply. Its own process.
import { createServer } from 'node:http';

const reply = Buffer.from('{"job_id":0,"result":[52,57],"success":true}');
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': reply.length });
    response.end(reply);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
