// Ids as JavaScript reads them, with the routes of service.py.
//   node node_origin.js PORT
'use strict';

const http = require('node:http');

const readers = { parseInt: (value) => parseInt(value, 10), Number: (value) => Number(value) };
const raised = new Map();

// The thing that a value is read as and its version; null where it is no number.
function read(reader, value) {
  const id = readers[reader](value);
  const thing = `${id}`;
  return Number.isFinite(id) ? { thing, version: raised.get(`${reader} ${thing}`) ?? 1 } : null;
}

function write(reader, value) {
  const found = read(reader, value);
  if (found) {
    found.version += 1;
    raised.set(`${reader} ${found.thing}`, found.version);
  }
  return found;
}

// The value that a request tells; a segment is decoded after the path was taken apart, as routers here do.
function toldId(segments, query, kind, body) {
  if (segments.length > 3) return decodeURIComponent(segments[3]);
  const asked = new URLSearchParams(query);
  if (asked.has('id')) return asked.get('id');
  const text = new TextDecoder().decode(body);
  return kind === 'application/x-www-form-urlencoded' ? new URLSearchParams(text).get('id') : JSON.parse(text).id;
}

function answer(request, body) {
  const [path, query] = request.url.split('?', 2);
  if (request.method === 'POST') {
    const asked = JSON.parse(body.toString());
    return [200, asked.values.map((value) => read(asked.reader, value)?.thing ?? null)];
  }
  const segments = path.replace(/\/$/, '').split('/').slice(1);
  const value = toldId(segments, query, request.headers['content-type'] ?? '', body);
  const found = (request.method === 'PUT' ? write : read)(segments[0], value);
  return found ? [200, found] : [404, { error: 'no such thing' }];
}

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    let [status, said] = [400, { error: 'no id' }];
    try {
      [status, said] = answer(request, Buffer.concat(pieces));
    } catch (error) {
      said.error = `${error}`;
    }
    const data = Buffer.from(JSON.stringify(said));
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': data.length });
    response.end(data);
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
