// The other end of the Lambda bench: answers every call alike, as quickly as it can. Its own process.
import { createServer } from 'node:http';

const body = JSON.stringify({ success: true, result_base64: 'e30=', metadata: {} });
const headers = {
  'content-type': 'application/json',
  'content-length': body.length,
  'x-amzn-requestid': 'bench',
  'x-amz-executed-version': '$LATEST',
};

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, headers);
    response.end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
