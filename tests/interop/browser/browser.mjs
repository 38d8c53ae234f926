// Paho's browser client in Debian's headless Chromium. Arguments: the jobs, then a JSON object with `profile` (an empty
// folder), `chromium` (the program) and `pins` (fingerprints of the server's public keys, so that wss is verified
// against exactly these).
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { atEnd, jobs } from '../js/jobs.mjs';

const settings = JSON.parse(process.argv[3]);
const paho = createRequire(import.meta.url).resolve('paho-mqtt');
const files = {
  '/': ['text/html; charset=utf-8', new URL('page.html', import.meta.url)],
  '/page.js': ['text/javascript; charset=utf-8', new URL('page.js', import.meta.url)],
  '/paho-mqtt.js': ['text/javascript; charset=utf-8', paho],
};

const site = createServer((request, response) => {
  const [type, file] = files[request.url] ?? [];
  if (!file) return response.writeHead(204).end(); // the icon that every browser asks for
  return response.writeHead(200, { 'content-type': type }).end(readFileSync(file));
});
await new Promise((done) => { site.listen(0, '127.0.0.1', done); });

const context = await chromium.launchPersistentContext(settings.profile, {
  executablePath: settings.chromium,
  headless: true,
  ignoreDefaultArgs: ['--enable-automation'],
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--no-proxy-server',
    `--ignore-certificate-errors-spki-list=${settings.pins.join(',')}`],
});
const page = await context.newPage();
page.on('pageerror', (error) => process.stderr.write(`page: ${error.message}\n`));
page.on('console', (message) => process.stderr.write(`console: ${message.text()}\n`));
await page.exposeFunction('tell', (line) => process.stdout.write(`${line}\n`));
await page.goto(`http://127.0.0.1:${site.address().port}/`);
await page.evaluate((list) => list.forEach(startJob), jobs);

atEnd(async () => {
  await page.evaluate(() => leaveAll());
  await new Promise((done) => { setTimeout(done, 300); });
  await context.close();
  site.close();
});
