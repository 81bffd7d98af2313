// A Node app, on the http module alone, that gives answers.json and remembers every request as Node saw it.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');

const answers = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'answers.json'), 'utf8'));
const seen = new Map();

// The same bytes as pattern.py.
function pattern(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) {
    const index = at & 0xffff;
    bytes[at] = (31 * index + (index >> 8)) & 255;
  }
  return bytes;
}

const FILE = pattern(1000);

function status(number) {
  const answer = { status: number, fields: [['Content-Type', 'text/plain']] };
  return [204, 205, 304].includes(number) ? answer : { ...answer, text: `${number}\n` };
}

function file(fields) {
  const head = [['ETag', '"file-1"'], ['Last-Modified', 'Wed, 21 Oct 2015 07:28:00 GMT'], ['Accept-Ranges', 'bytes']];
  if (fields['if-none-match'] === '"file-1"') return { status: 304, fields: head };
  const fits = [undefined, '"file-1"'].includes(fields['if-range']);
  if (!fields.range || !fits) return { status: 200, fields: head, raw: FILE };
  const [first, last] = fields.range.replace('bytes=', '').split('-');
  const begin = first ? Number(first) : FILE.length - Number(last);
  const end = first && last ? Math.min(Number(last), FILE.length - 1) : FILE.length - 1;
  if (begin > end) return { status: 416, fields: [...head, ['Content-Range', `bytes */${FILE.length}`]], text: '' };
  head.push(['Content-Range', `bytes ${begin}-${end}/${FILE.length}`]);
  return { status: 206, fields: head, raw: FILE.subarray(begin, end + 1) };
}

function choose(request, body) {
  const [, kind, rest] = request.url.split('?')[0].split('/');
  if (kind === 'seen') {
    const known = seen.get(rest) || [];
    seen.delete(rest);
    return { status: 200, fields: [], text: JSON.stringify(known) };
  }
  if (kind === 'reply') return answers[rest];
  if (kind === 'status') return status(Number(rest));
  if (kind === 'file') return file(request.headers);
  if (kind === 'redirect') {
    return { status: 303, fields: [['Location', `http://${request.headers.host}/any/target?a=b+c`]], text: '' };
  }
  if (kind === 'mirror') {
    return { status: 200, fields: [['Content-Type', request.headers['content-type'] || 'x/y']], raw: body };
  }
  if (kind === 'socket') return { status: 426, fields: [['Upgrade', 'websocket']], text: 'a socket\n' };
  return { status: 200, fields: [['Content-Type', 'application/json']], text: JSON.stringify([request.url, request.method]) };
}

function whole(answer) {
  if ('raw' in answer) return answer.raw;
  if ('text' in answer) return Buffer.from(answer.text);
  if ('base64' in answer) return Buffer.from(answer.base64, 'base64');
  return 'size' in answer ? pattern(answer.size) : undefined;
}

function give(answer, request, response) {
  const fields = answer.fields.flat();
  for (let number = 0; number < (answer.many || 0); number++) fields.push(`X-Many-${number}`, String(number));
  if (answer.long) fields.push('X-Long', 'x'.repeat(answer.long));
  const body = whole(answer);
  if (body !== undefined) fields.push('Content-Length', String(body.length));
  if (answer.hints) response.writeEarlyHints(answer.hints);
  response.writeHead(answer.status, answer.reason || http.STATUS_CODES[answer.status] || '', fields);
  if (request.method === 'HEAD') return response.end();
  for (const piece of answer.chunks || []) response.write(piece);
  if (answer.trailers) response.addTrailers(answer.trailers);
  response.end(body);
}

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces);
    const fields = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      fields.push([request.rawHeaders[at], request.rawHeaders[at + 1]]);
    }
    const name = request.headers['x-exchange'] || '';
    seen.set(name, [...(seen.get(name) || []), {
      method: request.method,
      target: request.url,
      fields,
      length: body.length,
      sha256: crypto.createHash('sha256').update(body).digest('hex'),
    }]);
    give(choose(request, body), request, response);
  });
});
server.on('upgrade', (request, socket) => {
  if (request.url !== '/socket') return socket.destroy();
  socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
});
server.listen(Number(process.argv[2]), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
