// A real Parse Server with one application. What it is comes as JSON on stdin, so that no key stands in argv or the
// environment; says `ready` once it serves, and ends when it is told to or its stdin closes.
const readline = require('readline');
const express = require('express');
const { ParseServer } = require('parse-server');

async function serve(line) {
  const { port, mount, ...application } = JSON.parse(line);
  const server = new ParseServer({ ...application, serverURL: `http://127.0.0.1:${port}${mount}`, silent: true, logsFolder: null });
  await server.start();
  const app = express();
  app.use(mount, server.app);
  app.listen(port, '127.0.0.1', () => console.log('ready'));
}

const lines = readline.createInterface({ input: process.stdin });
lines.once('line', serve);
lines.once('close', () => process.exit());
